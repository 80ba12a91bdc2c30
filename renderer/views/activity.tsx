import { useEffect, useRef, useState } from 'react';
import type { SwitchEntry, SwitchPage } from '../../core/ipc.ts';
import { type Frame, useFrame } from '../frame.ts';
import { useCommand, useNow } from '../hooks.ts';
import { Act } from '../parts/act.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import { byDay, dayStartOf, groupOf, programOf, type SwitchDay, type SwitchRow } from '../switches.ts';
import { DayRibbon } from './day-ribbon.tsx';
import { LentDays } from './lent-days.tsx';

const PAGE = 50;
/** The most that one question may ask for. */
const MOST = 200;

function sentence({ entry, awaySince }: SwitchRow, { text, format }: Frame): string {
  const words = text.window.activity;
  if (entry.to === 'run')
    return awaySince === null ? words.began : words.again(format.span(Math.max(0, entry.at - awaySince)));
  const why = text.window.cause(entry.to);
  return entry.from === 'run' ? words.gaveWay(why) : words.rests(why);
}

const nameOf = ({ lane, gpu }: SwitchEntry, { snapshot, text }: Frame): string =>
  snapshot.gpus.find(({ id }) => id === gpu)?.name ?? text.window.lane(lane);

/** Known as a game or seen in fullscreen, and never to be minded again. */
function Ignore({ name }: { readonly name: string }) {
  const { snapshot, commands, text } = useFrame();
  const words = text.window.activity;
  const { ignored } = snapshot.settings.games;
  const { busy, failure, run, dismiss } = useCommand();
  const place = useRef<HTMLSpanElement>(null);
  const ignore = (): void =>
    void run(() => commands.updateSettings({ games: { ignored: [...ignored, name] } })).then((outcome) => {
      // The button goes; what stands in its place takes the focus over.
      if (outcome.ok) place.current?.focus();
    });
  return (
    <>
      <span ref={place} tabIndex={-1}>
        {ignored.some((each) => each.toLowerCase() === name.toLowerCase()) ? (
          <span className="meaning">{words.ignored}</span>
        ) : (
          <Act className="link" busy={busy} onPress={ignore}>
            {words.ignore(name)}
          </Act>
        )}
      </span>
      <FailureNotice failure={failure} onDismiss={dismiss} />
    </>
  );
}

function Row({
  row,
  now,
  offerIgnore,
}: {
  readonly row: SwitchRow;
  readonly now: number;
  readonly offerIgnore: boolean;
}) {
  const frame = useFrame();
  const { text, format } = frame;
  const words = text.window.activity;
  const { entry, lastedMs } = row;
  const program = programOf(entry.to);
  return (
    <li className="switch" data-group={groupOf(entry.to)}>
      <time className="switch-time" dateTime={new Date(entry.at).toISOString()}>
        {format.time(entry.at)}
      </time>
      <div className="switch-words">
        <p>{sentence(row, frame)}</p>
        {program !== null && offerIgnore ? <Ignore name={program} /> : null}
      </div>
      <p className="meaning switch-lane">
        {nameOf(entry, frame)} ·{' '}
        {lastedMs === null ? words.lasting(format.span(now - entry.at)) : words.lasted(format.span(lastedMs))}
      </p>
    </li>
  );
}

function Day({
  day,
  now,
  newest,
}: {
  readonly day: SwitchDay;
  readonly now: number;
  readonly newest: ReadonlySet<number>;
}) {
  const { text, format } = useFrame();
  const words = text.window.activity;
  const today = dayStartOf(now);
  const name =
    day.dayStart === today
      ? words.today
      : day.dayStart === dayStartOf(today - 1)
        ? words.yesterday
        : format.day(day.dayStart);
  return (
    <section className="switch-day" aria-label={name}>
      <h2>{name}</h2>
      <ol className="switches">
        {day.rows.map((row) => (
          <Row key={row.entry.id} row={row} now={now} offerIgnore={newest.has(row.entry.id)} />
        ))}
      </ol>
    </section>
  );
}

/** The newest entry of each program: one offer to ignore it is enough. */
function newestOfPrograms(entries: readonly SwitchEntry[]): ReadonlySet<number> {
  const seen = new Map<string, number>();
  for (const { id, to } of entries) {
    const program = programOf(to);
    if (program !== null && !seen.has(program)) seen.set(program, id);
  }
  return new Set(seen.values());
}

/** What is held, as a text: a change of it means that a new entry was written. */
const stateOf = ({ snapshot }: Frame): string =>
  [...snapshot.lanes, ...snapshot.gpus]
    .map(({ decision }) => (decision.kind === 'run' ? 'run' : decision.reason.kind))
    .join();

export function Activity() {
  const frame = useFrame();
  const { commands, text } = frame;
  const words = text.window.activity;
  const now = useNow();
  const [page, setPage] = useState<SwitchPage | null>(null);
  const { busy, failure, run, dismiss } = useCommand();
  const shown = useRef(PAGE);
  const state = stateOf(frame);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a changed state is what makes the answer change
  useEffect(() => {
    let wanted = true;
    void run(() => commands.switches({ before: null, limit: shown.current })).then((outcome) => {
      if (wanted && outcome.ok) setPage(outcome.value);
    });
    return () => {
      wanted = false;
    };
  }, [state, commands, run]);

  const entries = page?.entries ?? [];
  const older = (): void => {
    const last = entries.at(-1);
    if (last === undefined) return;
    void run(() => commands.switches({ before: last.id, limit: PAGE })).then((outcome) => {
      if (!outcome.ok) return;
      const all = [...entries, ...outcome.value.entries];
      shown.current = Math.min(MOST, all.length);
      setPage({ entries: all, more: outcome.value.more });
    });
  };
  const newest = newestOfPrograms(entries);

  return (
    <div className="page">
      <h1>{words.title}</h1>
      <p className="lead">{words.intro}</p>
      <FailureNotice failure={failure} onDismiss={dismiss} />
      {page !== null && entries.length === 0 ? (
        <div className="empty">
          <p className="empty-title">{words.none}</p>
          <p className="meaning">{words.noneDetail}</p>
        </div>
      ) : null}
      {entries.length === 0 ? null : <DayRibbon entries={entries} now={now} nameOf={(entry) => nameOf(entry, frame)} />}
      <LentDays />
      {byDay(entries).map((day) => (
        <Day key={day.dayStart} day={day} now={now} newest={newest} />
      ))}
      {page?.more === true ? (
        <Act className="button" busy={busy} onPress={older}>
          {busy ? text.window.earnings.loading : text.window.earnings.more}
        </Act>
      ) : null}
    </div>
  );
}
