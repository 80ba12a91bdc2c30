import { useEffect, useRef, useState } from 'react';
import type { EarningsEntry, EarningsPage } from '../../core/ipc.ts';
import { shortHash } from '../format.ts';
import { useFrame } from '../frame.ts';
import { useCommand } from '../hooks.ts';
import { Act } from '../parts/act.tsx';
import { CopyButton } from '../parts/copy.tsx';
import { Money } from '../parts/money.tsx';
import { FailureNotice } from '../parts/notice.tsx';

const PAGE = 20;
/** The most that one question may ask for. */
const MOST = 200;

function Row({ entry }: { readonly entry: EarningsEntry }) {
  const { text, format } = useFrame();
  const words = text.window.earnings;
  return (
    <tr>
      <td>
        <span className="history-work">{text.window.workload(entry.workload)}</span>
        <span className="history-lane">{text.window.lane(entry.lane)}</span>
      </td>
      <td className="history-when">{format.dateTime(entry.at)}</td>
      <td className="right history-amount" data-state={entry.state}>
        <Money amount={entry.amount} />
      </td>
      <td>
        <span className="state" data-state={entry.state}>
          {text.window.entryState(entry.state)}
        </span>
        {entry.detail === null ? null : <span className="meaning history-detail">{entry.detail}</span>}
      </td>
      <td className="history-report" data-label={words.report}>
        {entry.report === null ? words.noReport : words.reportNumber(entry.report)}
      </td>
      <td className="mono history-lease">
        {shortHash(entry.leaseId)}
        <CopyButton value={entry.leaseId} what={words.leaseId} />
      </td>
    </tr>
  );
}

/** What this device finished, newest first; asked anew when the snapshot's sums say that something moved. */
export function History() {
  const { snapshot, commands, text } = useFrame();
  const words = text.window.earnings;
  const [page, setPage] = useState<EarningsPage | null>(null);
  const { busy, failure, run, dismiss } = useCommand();
  const shown = useRef(PAGE);
  const { verifying, credited, jobsToday } = snapshot.earnings;

  // biome-ignore lint/correctness/useExhaustiveDependencies: the sums are what makes the answer change
  useEffect(() => {
    let wanted = true;
    void run(() => commands.earnings({ before: null, limit: shown.current })).then((outcome) => {
      if (wanted && outcome.ok) setPage(outcome.value);
    });
    return () => {
      wanted = false;
    };
  }, [verifying, credited, jobsToday, commands, run]);

  const entries = page?.entries ?? [];
  const older = (): void => {
    const last = entries.at(-1);
    if (last === undefined) return;
    void run(() => commands.earnings({ before: last.at, limit: PAGE })).then((outcome) => {
      if (!outcome.ok) return;
      const all = [...entries, ...outcome.value.entries];
      shown.current = Math.min(MOST, all.length);
      setPage({ entries: all, more: outcome.value.more });
    });
  };

  return (
    <section className="panel" aria-labelledby="history">
      <div className="panel-head">
        <h2 id="history">{words.history}</h2>
      </div>
      <FailureNotice failure={failure} onDismiss={dismiss} />
      {page !== null && entries.length === 0 ? (
        <div className="empty">
          <p className="empty-title">{words.noHistory}</p>
          <p className="meaning">{words.noHistoryDetail}</p>
        </div>
      ) : null}
      {entries.length === 0 ? null : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
        <section className="table-field" tabIndex={0} aria-label={words.history}>
          <table className="table history">
            <thead>
              <tr>
                <th scope="col">{words.work}</th>
                <th scope="col">{words.finished}</th>
                <th scope="col" className="right">
                  {words.amount}
                </th>
                <th scope="col">{words.state}</th>
                <th scope="col">{words.report}</th>
                <th scope="col">{words.lease}</th>
              </tr>
            </thead>
            <tbody>
              {entries.map((entry) => (
                <Row key={entry.leaseId} entry={entry} />
              ))}
            </tbody>
          </table>
        </section>
      )}
      {page?.more === true ? (
        <Act className="button" busy={busy} onPress={older}>
          {busy ? words.loading : words.more}
        </Act>
      ) : null}
    </section>
  );
}
