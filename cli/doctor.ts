import { systemClock } from '../agent/adapters/clock.ts';
import { coordinatorDirectory, UNCOUNTED } from '../agent/adapters/coordinator.ts';
import { machineFacts } from '../agent/adapters/machine-facts.ts';
import { systemSensors } from '../agent/adapters/sensors.ts';
import { examine } from '../agent/doctor.ts';
import { EMPTY_CATALOGUE } from '../core/catalogue.ts';
import type { Diagnosed } from '../core/doctor.ts';
import { asFailure, Failure } from '../core/errors.ts';
import { EXPIRES_SOON_MS } from '../core/release.ts';
import type { CoordinatorState } from '../core/signals.ts';
import type { Problem } from '../core/snapshot.ts';
import type { Text } from '../core/text/en.ts';
import type { SignedCatalogue } from './catalogue.ts';
import { type Here, onThisMachine } from './machine.ts';

/** Looks at what sharing needs on this machine, without an agent. Throws SETTINGS_BROKEN. */
export function examineHere(at: Omit<Here, 'catalogue'>, listed: SignedCatalogue | Failure): Promise<Diagnosed> {
  const trusted = !(listed instanceof Failure);
  const here: Here = { ...at, catalogue: trusted ? listed.catalogue : EMPTY_CATALOGUE };
  const problem: Problem = trusted
    ? { kind: 'catalogue-expiring', at: listed.expiresAt }
    : { kind: 'catalogue-untrusted', why: { kind: 'malformed', detail: listed.message } };
  const lasting = trusted && listed.expiresAt - systemClock.now() > EXPIRES_SOON_MS;
  return onThisMachine(here, async ({ containers, engine, settings }) => {
    let coordinator: CoordinatorState = { kind: 'connecting' };
    let skewMs: number | null = null;
    try {
      const { now } = await coordinatorDirectory({ log: here.log, traffic: UNCOUNTED }).network(
        settings.coordinatorUrl,
      );
      coordinator = { kind: 'connected', since: systemClock.now() };
      skewMs = now - systemClock.now();
    } catch (error) {
      const { code, message } = asFailure(error);
      coordinator =
        code === 'COORDINATOR_AWAY'
          ? { kind: 'away', since: systemClock.now(), detail: message }
          : { kind: 'refused', detail: message };
    }
    return examine({
      ports: {
        ...{ clock: systemClock, containers, machineFacts },
        settings: { current: () => ({ kind: 'ok', settings }) },
        sensors: systemSensors({ idle: null, folder: here.dataDir }),
      },
      ...{
        engine,
        catalogue: () => here.catalogue,
        catalogueProblems: () => (lasting ? [] : [problem]),
        coordinator: () => coordinator,
        skewMs: () => skewMs,
      },
    });
  });
}

const MARKS = { fine: '✓', hint: '→', bad: '✗', unknown: '?' } as const;

/** Findings for reading: a line for each, and how to mend what is not right. Pure. */
export function doctorLines({ findings }: Diagnosed, text: Text): readonly string[] {
  const words = text.window.doctor;
  const count = (state: keyof typeof MARKS): number => findings.filter((finding) => finding.state === state).length;
  return [
    ...findings.flatMap((finding) => {
      const { says, fix, command } = words.advice(finding);
      return [
        `${MARKS[finding.state]} ${words.checks[finding.check]}: ${says}`,
        ...(fix === null ? [] : [`    ${fix}`]),
        ...(command === null ? [] : [`    ${command}`]),
      ];
    }),
    words.summary(count('bad'), count('hint')),
  ];
}
