import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../agent/adapters/clock.ts';
import { dockerContainers } from '../agent/adapters/docker.ts';
import { readIfThere } from '../agent/adapters/files.ts';
import { probeHost } from '../agent/adapters/probe-host.ts';
import { proofFile } from '../agent/adapters/proofs.ts';
import { systemRandom } from '../agent/adapters/random.ts';
import { systemSensors } from '../agent/adapters/sensors.ts';
import { createEngineWatch } from '../agent/engine-watch.ts';
import { createProver } from '../agent/prover.ts';
import type { Catalogue } from '../core/catalogue.ts';
import { asFailure, fail } from '../core/errors.ts';
import type { Address } from '../core/primitives.ts';
import { holds, PROBE_GROUPS, PROBES, type Proof, type Suite } from '../core/proof.ts';
import { shareFrom } from '../core/sandbox.ts';
import { defaultSettings, parseSettings, type Settings } from '../core/settings.ts';
import type { Text } from '../core/text/en.ts';
import type { Logger } from './log.ts';
import { resourcePath } from './paths.ts';

/** Bears the labels of no device that could be enrolled: nobody else's janitor minds its containers, nor it theirs. */
const DOCTOR: Address = '0x000000000000000000000000000000000000d0c7';

export type ProveHereOptions = {
  /** Whose limits hold; the app may be running on it. */
  readonly dataDir: string;
  readonly catalogue: Catalogue;
  readonly log: Logger;
  readonly onSuite: (suite: Suite) => void;
};

/** Tries to break out of the sandbox on this machine, without an agent. Throws as `createProver` and SETTINGS_BROKEN. */
export async function proveHere({ dataDir, catalogue, log, onSuite }: ProveHereOptions): Promise<Proof> {
  const settings = await settingsIn(dataDir);
  const containers = dockerContainers({ log });
  const closing = [containers.close];
  let told: Suite | null = null;
  try {
    const watched = {
      ports: { clock: systemClock, log, containers, settings: { current: () => ({ kind: 'ok', settings }) as const } },
      ...{ device: DOCTOR, catalogue: () => catalogue, wake: () => undefined },
    };
    const engine = createEngineWatch(watched);
    closing.push(engine.close);
    const left = await engine.look();
    // What an earlier doctor left when it was killed. One that still runs has somebody at its door.
    const ended = left.filter(({ state }) => state === 'exited' || state === 'created');
    await Promise.all(ended.map(({ id }) => containers.remove(id)));
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
    return await prover.prove();
  } finally {
    for (const close of closing) close();
  }
}

async function settingsIn(dataDir: string): Promise<Settings> {
  const path = join(dataDir, 'settings.json');
  const text = await readIfThere(path);
  if (text === null) return defaultSettings();
  try {
    return parseSettings(JSON.parse(text));
  } catch (error) {
    return fail('SETTINGS_BROKEN', `${path} cannot be read: ${asFailure(error).message}; correct it`, {}, error);
  }
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
