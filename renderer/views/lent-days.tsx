import { useEffect, useState } from 'react';
import { Button } from 'react-aria-components';
import type { DailyTraffic } from '../../core/ipc.ts';
import { isOffered } from '../../core/snapshot.ts';
import { CARRIERS, type Carrier, type TrafficDay } from '../../core/traffic.ts';
import { useFrame } from '../frame.ts';
import { useCommand } from '../hooks.ts';
import { Bars, DayAxis } from '../parts/bars.tsx';
import { Choice } from '../parts/controls.tsx';
import { FailureNotice } from '../parts/notice.tsx';

const RANGES = ['14', '30', '60'] as const;
const HEIGHT = 100;

const passed = ({ carriers }: TrafficDay, carrier: Carrier): number => carriers[carrier].in + carriers[carrier].out;
const total = (day: TrafficDay): number => CARRIERS.reduce((sum, carrier) => sum + passed(day, carrier), 0);
const percent = (part: number, all: number): number => (all > 0 ? (part / all) * 100 : 0);

/** The last days of the line, and what went wrong; asked anew whenever `mark` changes. null: not answered yet. */
export function useTraffic(days: number, mark: string | number) {
  const { commands } = useFrame();
  const { failure, run, dismiss } = useCommand();
  const [answer, setAnswer] = useState<DailyTraffic | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `mark` is what makes the answer change
  useEffect(() => {
    let wanted = true;
    void run(() => commands.dailyTraffic({ days })).then((outcome) => {
      if (wanted && outcome.ok) setAnswer(outcome.value);
    });
    return () => {
      wanted = false;
    };
  }, [days, mark, commands, run]);
  return { days: answer, failure, dismiss };
}

/** What was kept each day as steps, in a field of so many days by 100: the line, and the ground below it. A day on which nobody looked is a gap. */
export function keptPaths(stored: readonly (number | null)[]): { readonly line: string; readonly ground: string } {
  const most = Math.max(1, ...stored.map((bytes) => bytes ?? 0));
  let line = '';
  let ground = '';
  stored.forEach((bytes, x) => {
    if (bytes === null) return;
    const y = Math.round(HEIGHT * (1 - bytes / most) * 100) / 100;
    const before = x > 0 && stored[x - 1] !== null;
    const after = x + 1 < stored.length && stored[x + 1] !== null;
    line += `${before ? 'V' : `M${x} `}${y}H${x + 1}`;
    ground += `${before ? 'V' : `M${x} ${HEIGHT}V`}${y}H${x + 1}${after ? '' : `V${HEIGHT}Z`}`;
  });
  return { line, ground };
}

/** What others kept here, as ground under a line. */
function Kept({ days }: { readonly days: readonly TrafficDay[] }) {
  const { text, format } = useFrame();
  const words = text.window.lend;
  const most = Math.max(1, ...days.map(({ stored }) => stored ?? 0));
  const { line, ground } = keptPaths(days.map(({ stored }) => stored));
  return (
    <div className="bars">
      <p className="bars-said" aria-hidden="true">
        {words.byDayStored}
      </p>
      <div className="bars-field">
        <span className="bars-most">{format.memory(most / 1024 ** 2)}</span>
        <svg
          className="kept"
          viewBox={`0 0 ${days.length} ${HEIGHT}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={words.byDayChart(words.byDayStored, days.length)}
        >
          <path className="kept-ground" d={ground} />
          <path className="kept-line" d={line} />
        </svg>
      </div>
      <DayAxis days={days.map(({ dayStart }) => dayStart)} />
    </div>
  );
}

function Passed({ days }: { readonly days: readonly TrafficDay[] }) {
  const { text, format } = useFrame();
  const words = text.window.lend;
  const name = useCarrierName();
  const most = Math.max(1, ...days.map(total));
  const said = (day: TrafficDay): string =>
    CARRIERS.filter((carrier) => passed(day, carrier) > 0)
      .map((carrier) => `${name(carrier)} ${format.memory(passed(day, carrier) / 1024 ** 2)}`)
      .join(', ');
  return (
    <Bars
      label={words.byDayChart(words.byDayLine, days.length)}
      title={words.byDayLine}
      most={format.memory(most / 1024 ** 2)}
      bars={days.map((day) => ({
        start: day.dayStart,
        height: percent(total(day), most),
        parts: CARRIERS.map((lane) => ({ lane, percent: percent(passed(day, lane), total(day)) })),
        said: `${format.day(day.dayStart)}: ${said(day) || format.memory(0)}`,
      }))}
    />
  );
}

function useCarrierName(): (carrier: Carrier) => string {
  const { text } = useFrame();
  return (carrier) => (carrier === 'session' ? text.window.lend.session : text.window.lane(carrier));
}

type TableProps = { readonly days: readonly TrafficDay[]; readonly carriers: readonly Carrier[] };

function Table({ days, carriers }: TableProps) {
  const { text, format } = useFrame();
  const words = text.window.lend;
  const name = useCarrierName();
  const bytes = (value: number): string => format.memory(value / 1024 ** 2);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section className="table-field" tabIndex={0} aria-label={words.byDay}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">{text.window.earnings.day}</th>
            <th scope="col" className="right">
              {words.byDayStored}
            </th>
            {carriers.map((carrier) => (
              <th scope="col" className="right" key={carrier}>
                {name(carrier)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {[...days].reverse().map((day) => (
            <tr key={day.dayStart}>
              <th scope="row">{format.day(day.dayStart)}</th>
              <td className="right">{day.stored === null ? words.notSeen : bytes(day.stored)}</td>
              {carriers.map((carrier) => (
                <td className="right" key={carrier}>
                  {words.both(bytes(day.carriers[carrier].in), bytes(day.carriers[carrier].out))}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** What others kept here and what passed over the line, by day and lane. */
export function LentDays() {
  const { snapshot, text } = useFrame();
  const words = text.window.lend;
  const { earnings } = text.window;
  const [range, setRange] = useState<(typeof RANGES)[number]>('14');
  const [asTable, setAsTable] = useState(false);
  const { traffic } = snapshot;
  // A day is a long time: it is asked anew for each GiB, not for each byte.
  const mark = traffic === null ? 0 : Math.floor((traffic.monthBytesIn + traffic.monthBytesOut) / 1024 ** 3);
  const { days, failure, dismiss } = useTraffic(Number(range), mark);
  const name = useCarrierName();
  const carriers = CARRIERS.filter((carrier) => days?.some((day) => passed(day, carrier) > 0));
  const kept = days?.some(({ stored }) => stored !== null) === true;
  const lends = isOffered(snapshot, 'storage') || isOffered(snapshot, 'bandwidth');
  const empty = carriers.length === 0 && !kept;
  if (!lends && empty) return null;
  return (
    <section className="panel" aria-labelledby="lent-days">
      <div className="panel-head">
        <h2 id="lent-days">{words.byDay}</h2>
        <Choice
          label={earnings.range}
          labelHidden
          value={range}
          options={RANGES.map((value) => ({ value, label: earnings.days(Number(value)) }))}
          onChange={setRange}
        />
      </div>
      <FailureNotice failure={failure} onDismiss={dismiss} />
      {days === null ? null : empty ? (
        <div className="empty">
          <p className="empty-title">{words.byDayNone}</p>
          <p className="meaning">{words.byDayNoneDetail}</p>
        </div>
      ) : (
        <>
          {asTable ? (
            <Table days={days} carriers={carriers} />
          ) : (
            <div className={kept ? 'columns' : 'stack'}>
              {kept ? <Kept days={days} /> : null}
              <Passed days={days} />
            </div>
          )}
          <div className="panel-foot">
            <ul className="legend">
              {carriers.map((carrier) => (
                <li key={carrier} data-lane={carrier}>
                  {name(carrier)}
                </li>
              ))}
            </ul>
            <Button className="link" onPress={() => setAsTable(!asTable)}>
              {asTable ? earnings.asChart : earnings.asTable}
            </Button>
          </div>
        </>
      )}
    </section>
  );
}
