import { useEffect, useState } from 'react';
import { Button } from 'react-aria-components';
import type { DailyEarnings } from '../../core/ipc.ts';
import { type Amount, sum } from '../../core/money.ts';
import { LANES, type Lane, type UnixMs } from '../../core/primitives.ts';
import { useFrame } from '../frame.ts';
import { useCommand } from '../hooks.ts';
import { Bars } from '../parts/bars.tsx';
import { Choice } from '../parts/controls.tsx';
import { Money, useSymbol } from '../parts/money.tsx';
import { FailureNotice } from '../parts/notice.tsx';

const RANGES = ['14', '30'] as const;
type Range = (typeof RANGES)[number];

type Day = { readonly start: UnixMs; readonly total: Amount; readonly lanes: ReadonlyMap<Lane, Amount> };

function daysOf(entries: DailyEarnings): readonly Day[] {
  const byDay = new Map<UnixMs, Map<Lane, Amount>>();
  for (const { dayStart, lane, amount } of entries) {
    const lanes = byDay.get(dayStart) ?? new Map<Lane, Amount>();
    byDay.set(dayStart, lanes.set(lane, (lanes.get(lane) ?? 0n) + amount));
  }
  return [...byDay].sort(([a], [b]) => a - b).map(([start, lanes]) => ({ start, lanes, total: sum(lanes.values()) }));
}

function largest(amounts: readonly Amount[]): Amount {
  let most = 0n;
  for (const amount of amounts) if (amount > most) most = amount;
  return most;
}

/** Share of `most` in percent, for a length on the screen only. */
const percentOf = (amount: Amount, most: Amount): number => (most === 0n ? 0 : Number((amount * 10_000n) / most) / 100);

function Chart({ days, label }: { readonly days: readonly Day[]; readonly label: string }) {
  const { text, format } = useFrame();
  const symbol = useSymbol();
  const most = largest(days.map((day) => day.total));
  const said = (day: Day): string =>
    LANES.filter((lane) => (day.lanes.get(lane) ?? 0n) > 0n)
      .map((lane) => `${text.window.lane(lane)} ${format.money(day.lanes.get(lane) ?? 0n, symbol)}`)
      .join(', ') || format.money(0n, symbol);
  const bars = days.map((day) => ({
    start: day.start,
    height: percentOf(day.total, most),
    parts: LANES.map((lane) => ({ lane, percent: percentOf(day.lanes.get(lane) ?? 0n, day.total) })),
    said: `${format.day(day.start)}: ${said(day)}`,
  }));
  return <Bars bars={bars} label={label} most={format.money(most, symbol)} />;
}

function Table({ days, lanes }: { readonly days: readonly Day[]; readonly lanes: readonly Lane[] }) {
  const { text, format } = useFrame();
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section className="table-field" tabIndex={0} aria-label={text.window.earnings.daily}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">{text.window.earnings.day}</th>
            {lanes.map((lane) => (
              <th scope="col" className="right" key={lane}>
                {text.window.lane(lane)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {[...days].reverse().map((day) => (
            <tr key={day.start}>
              <th scope="row">{format.day(day.start)}</th>
              {lanes.map((lane) => (
                <td className="right" key={lane}>
                  <Money amount={day.lanes.get(lane) ?? 0n} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Credited earnings by day and lane; asked anew whenever the credited sum grows. */
export function Daily() {
  const { snapshot, commands, text, format } = useFrame();
  const symbol = useSymbol();
  const words = text.window.earnings;
  const [range, setRange] = useState<Range>('14');
  const [asTable, setAsTable] = useState(false);
  const [days, setDays] = useState<readonly Day[] | null>(null);
  const { failure, run, dismiss } = useCommand();
  const { credited } = snapshot.earnings;

  // biome-ignore lint/correctness/useExhaustiveDependencies: `credited` is what makes the answer change
  useEffect(() => {
    let wanted = true;
    void run(() => commands.dailyEarnings({ days: Number(range) })).then((outcome) => {
      if (wanted && outcome.ok) setDays(daysOf(outcome.value));
    });
    return () => {
      wanted = false;
    };
  }, [range, credited, commands, run]);

  const total = sum((days ?? []).map((day) => day.total));
  const present = LANES.filter((lane) => days?.some((day) => (day.lanes.get(lane) ?? 0n) > 0n));
  const lanes: readonly Lane[] = present.length > 0 ? present : ['cpu'];
  return (
    <section className="panel" aria-labelledby="daily">
      <div className="panel-head">
        <h2 id="daily">{words.daily}</h2>
        <Choice
          label={words.range}
          labelHidden
          value={range}
          options={RANGES.map((value) => ({ value, label: words.days(Number(value)) }))}
          onChange={setRange}
        />
      </div>
      <FailureNotice failure={failure} onDismiss={dismiss} />
      {days === null ? null : total === 0n ? (
        <div className="empty">
          <p className="empty-title">{words.noDays}</p>
          <p className="meaning">{words.noDaysDetail}</p>
        </div>
      ) : (
        <>
          {asTable ? <Table days={days} lanes={lanes} /> : <Chart days={days} label={words.chart(days.length)} />}
          <div className="panel-foot">
            <ul className="legend">
              {lanes.map((lane) => (
                <li key={lane} data-lane={lane}>
                  {text.window.lane(lane)}
                </li>
              ))}
            </ul>
            <p className="meaning">{words.total(format.money(total, symbol), days.length)}</p>
            <Button className="link" onPress={() => setAsTable(!asTable)}>
              {asTable ? words.asChart : words.asTable}
            </Button>
          </div>
        </>
      )}
    </section>
  );
}
