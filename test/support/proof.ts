import {
  conclude,
  PROBE_IDS,
  PROBES,
  type ProbeId,
  type ProbeResult,
  type Proof,
  type Suite,
} from '../../core/proof.ts';

export const attempt = (probe: ProbeId, change: Partial<ProbeResult> = {}): ProbeResult => ({
  ...{ probe, tried: `try ${probe}`, outcome: 'blocked', detail: 'EPERM', ...change },
});

/** A proof that everything held, but for the attempts given. */
export const proofWith = (changes: readonly ProbeResult[] = [], at = 1_000): Proof => ({
  ...{ startedAt: at - 800, finishedAt: at, engine: '20.10.24', image: `sha256:${'12'.repeat(32)}` },
  ...conclude([
    ...PROBE_IDS.filter((id) => !changes.some(({ probe }) => probe === id)).map((id) => attempt(id)),
    ...changes,
  ]),
});

/** What the probe says in a launch when everything holds. */
export const linesOf = (suite: Suite): readonly string[] =>
  suite === 'linger' || suite === 'stubborn'
    ? ['{"ready":true}']
    : [
        ...PROBE_IDS.filter((id) => PROBES[id].suite === suite && suite !== 'flood').map((id) =>
          JSON.stringify(attempt(id)),
        ),
        '{"done":true}',
      ];
