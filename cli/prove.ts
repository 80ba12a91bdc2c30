import { readFile } from 'node:fs/promises';
import { systemClock } from '../agent/adapters/clock.ts';
import { probeHost } from '../agent/adapters/probe-host.ts';
import { proofFile } from '../agent/adapters/proofs.ts';
import { systemRandom } from '../agent/adapters/random.ts';
import { systemSensors } from '../agent/adapters/sensors.ts';
import { createProver } from '../agent/prover.ts';
import { holds, PROBE_GROUPS, PROBES, type Proof, type Suite } from '../core/proof.ts';
import { shareFrom } from '../core/sandbox.ts';
import type { Text } from '../core/text/en.ts';
import { DOCTOR, type Here, onThisMachine } from './machine.ts';
import { resourcePath } from './paths.ts';

/** Tries to break out of the sandbox on this machine, without an agent. Throws as `createProver` and SETTINGS_BROKEN. */
export function proveHere(here: Here, onSuite: (suite: Suite) => void): Promise<Proof> {
  const { dataDir, catalogue, log } = here;
  let told: Suite | null = null;
  return onThisMachine(here, async ({ containers, engine, settings }) => {
    const machine = await systemSensors({ idle: null, folder: dataDir }).machine();
    const prover = createProver({
      ports: {
        ...{ containers, log, clock: systemClock, random: systemRandom },
        probeHost: probeHost({ log }),
        proofs: proofFile(dataDir, log),
        seccompProfile: await readFile(resourcePath('seccomp.json'), 'utf8'),
      },
      ...{ device: DOCTOR, instance: systemRandom.hex32() },
      engine,
      catalogue: () => catalogue,
      share: () => shareFrom(settings.limits, machine),
      changed: () => {
        const suite = prover.view().running?.suite ?? null;
        if (suite !== null && suite !== told) onSuite(suite);
        told = suite;
      },
    });
    try {
      await prover.open();
      return await prover.prove();
    } finally {
      prover.close();
    }
  });
}

/** A proof for reading: a line for each group, one for each attempt that got out, and what it comes to. Pure. */
export function proofLines(proof: Proof, text: Text): readonly string[] {
  const words = text.window.proof;
  const lines = PROBE_GROUPS.flatMap((group) => {
    const own = proof.results.filter(
      ({ probe, outcome }) => PROBES[probe].group === group && outcome !== 'unavailable',
    );
    const out = own.filter(({ outcome }) => outcome === 'escaped');
    return [
      `${out.length === 0 ? '✓' : '✗'} ${words.groups[group]}: ${words.inGroup(own.length - out.length, own.length)}`,
      ...out.map(
        ({ probe, tried, detail }) => `    ${words.outcomes.escaped}: ${words.probes[probe]} (${tried}: ${detail})`,
      ),
    ];
  });
  if (holds(proof)) return [...lines, words.safe(proof.tried)];
  if (proof.escaped > 0) return [...lines, words.leaked(proof.escaped, proof.tried), words.advice];
  return [
    ...lines,
    words.unfinished(proof.missing.length),
    ...proof.missing.map((probe) => `    ${words.probes[probe]}`),
  ];
}
