import { useEffect, useState } from 'react';
import type { WireFailure } from '../../core/errors.ts';
import {
  holds,
  PROBE_GROUPS,
  PROBES,
  type ProbeGroup,
  type ProbeId,
  type ProbeResult,
  type Proof,
} from '../../core/proof.ts';
import { useFrame } from '../frame.ts';
import { useCommand } from '../hooks.ts';
import { Act } from '../parts/act.tsx';
import { Icon } from '../parts/icons.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { DoctorPanel } from './doctor.tsx';

type Row = {
  readonly probe: ProbeId;
  readonly outcome: ProbeResult['outcome'];
  readonly results: readonly ProbeResult[];
};

/** What got out first, what was stopped next: one row for each probe, with the worst of its attempts. */
function rowsOf(results: readonly ProbeResult[], group: ProbeGroup): readonly Row[] {
  const byProbe = new Map<ProbeId, ProbeResult[]>();
  for (const result of results) {
    if (PROBES[result.probe].group !== group) continue;
    byProbe.set(result.probe, [...(byProbe.get(result.probe) ?? []), result]);
  }
  const worst = (own: readonly ProbeResult[]): ProbeResult['outcome'] =>
    (['escaped', 'blocked'] as const).find((outcome) => own.some((result) => result.outcome === outcome)) ??
    'unavailable';
  const rank = { escaped: 0, blocked: 1, unavailable: 2 } as const;
  return [...byProbe]
    .map(([probe, own]) => ({ probe, results: own, outcome: worst(own) }))
    .sort((a, b) => rank[a.outcome] - rank[b.outcome]);
}

function Attempts({ results }: { readonly results: readonly ProbeResult[] }) {
  const words = useFrame().text.window.proof;
  return (
    <ul className="proof-attempts">
      {results.map(({ tried, detail, outcome }) => (
        <li key={`${tried} ${detail}`} data-outcome={outcome}>
          <code>{tried}</code> –{' '}
          {outcome === 'blocked' ? words.stopped(detail) : `${words.outcomes[outcome]} (${detail})`}
        </li>
      ))}
    </ul>
  );
}

function Probe({ row: { probe, outcome, results } }: { readonly row: Row }) {
  const words = useFrame().text.window.proof;
  // The first attempt of that kind speaks for the row; all of them are below it.
  const first = results.find((result) => result.outcome === outcome);
  return (
    <li className="proof-row" data-outcome={outcome}>
      <Icon name={outcome === 'escaped' ? 'alert' : outcome === 'blocked' ? 'check' : 'cross'} />
      <div>
        <p>{words.probes[probe]}</p>
        <p className="meaning">
          {outcome === 'blocked'
            ? `${words.outcomes.blocked}: ${words.stopped(first?.detail ?? '')}`
            : words.outcomes[outcome]}
        </p>
        <details open={outcome === 'escaped'}>
          <summary>{words.attempts(results.length)}</summary>
          <Attempts results={results} />
        </details>
      </div>
    </li>
  );
}

function Group({ group, results }: { readonly group: ProbeGroup; readonly results: readonly ProbeResult[] }) {
  const words = useFrame().text.window.proof;
  const rows = rowsOf(results, group);
  if (rows.length === 0) return null;
  const own = rows.flatMap((row) => row.results).filter(({ outcome }) => outcome !== 'unavailable');
  const blocked = own.filter(({ outcome }) => outcome === 'blocked').length;
  return (
    <details className="proof-group" open={blocked < own.length}>
      <summary>
        <span className="proof-group-name">{words.groups[group]}</span>
        <span className="meaning">{words.inGroup(blocked, own.length)}</span>
      </summary>
      <ul className="proof-rows">
        {rows.map((row) => (
          <Probe key={row.probe} row={row} />
        ))}
      </ul>
    </details>
  );
}

/** What the last one tried, one by one; asked for anew when there is a newer one. */
function useLastProof(finishedAt: number | null): {
  readonly proof: Proof | null;
  readonly failure: WireFailure | null;
} {
  const { commands } = useFrame();
  const { run, failure } = useCommand();
  const [proof, setProof] = useState<Proof | null>(null);
  useEffect(() => {
    if (finishedAt === null) return;
    let open = true;
    void run(() => commands.lastProof(null)).then((outcome) => {
      if (open && outcome.ok) setProof(outcome.value);
    });
    return () => {
      open = false;
    };
  }, [finishedAt, commands, run]);
  return { proof, failure };
}

function Verdict({ proof }: { readonly proof: Proof }) {
  const { text, format } = useFrame();
  const words = text.window.proof;
  const { tried, escaped, missing } = proof;
  return (
    <>
      {holds(proof) ? (
        <p className="proof-verdict">
          <Icon name="shield" />
          {words.safe(tried)}
        </p>
      ) : (
        <Notice
          title={escaped > 0 ? words.leaked(escaped, tried) : words.unfinished(missing.length)}
          advice={escaped > 0 ? words.advice : missing.map((probe) => words.probes[probe]).join(', ')}
        />
      )}
      <p className="meaning">
        {words.when(format.dateTime(proof.finishedAt))} · {words.engine(proof.engine)}
      </p>
    </>
  );
}

/** The button that tries to break out, and what became of each attempt. */
export function ProofPanel() {
  const { snapshot, commands, text } = useFrame();
  const words = text.window.proof;
  const { running, last } = snapshot.proof;
  const { busy, failure, run, dismiss } = useCommand();
  const { proof, failure: unread } = useLastProof(last?.finishedAt ?? null);
  const trying = busy || running !== null;
  return (
    <section className="panel" aria-labelledby="proof">
      <div className="panel-head">
        <h2 id="proof">{words.title}</h2>
        <Act className="button button-main" busy={trying} onPress={() => void run(() => commands.prove(null))}>
          {trying ? words.running : last === null ? words.start : words.again}
        </Act>
      </div>
      <p className="meaning">{words.meaning}</p>
      <FailureNotice title={words.failed} failure={failure ?? unread} onDismiss={dismiss} />
      <div className="proof-state" aria-live="polite">
        {running === null ? null : (
          <div className="proof-running">
            <p>
              {words.suites[running.suite]} · {words.sofar(running.tried)}
            </p>
            <div className="proof-bar" />
          </div>
        )}
        {running === null && last === null ? <p>{words.never}</p> : null}
        {running === null && proof !== null ? <Verdict proof={proof} /> : null}
      </div>
      {running === null && proof !== null ? (
        <div className="proof-groups">
          {PROBE_GROUPS.map((group) => (
            <Group key={group} group={group} results={proof.results} />
          ))}
        </div>
      ) : null}
    </section>
  );
}

export function ProofPage() {
  const { text } = useFrame();
  return (
    <div className="page">
      <h1>{text.window.frame.proof}</h1>
      <DoctorPanel />
      <ProofPanel />
    </div>
  );
}
