import type { SwitchEntry } from '../../core/ipc.ts';
import { useFrame } from '../frame.ts';
import { dayStartOf, type Group, ribbons } from '../switches.ts';

const DAY_MS = 24 * 3_600_000;
const GROUPS = ['run', 'owner', 'program', 'machine', 'trouble'] as const satisfies readonly Group[];
const MARKS = [0, 6, 12, 18] as const;

type RibbonProps = {
  /** Newest first. */
  readonly entries: readonly SwitchEntry[];
  readonly now: number;
  readonly nameOf: (entry: SwitchEntry) => string;
};

/** Today as a band for each lane: when it shared, and who it gave way to. */
export function DayRibbon({ entries, now, nameOf }: RibbonProps) {
  const { text, format } = useFrame();
  const words = text.window.activity;
  const start = dayStartOf(now);
  const place = (at: number): string => `${(Math.max(0, at - start) / DAY_MS) * 100}%`;
  return (
    <section className="panel day-panel" aria-labelledby="day">
      <h2 id="day">{words.day}</h2>
      <div className="ribbons">
        {ribbons(entries, start, now).map(({ unit, of, stretches }) => {
          const shared = stretches.reduce((all, { from, to, group }) => (group === 'run' ? all + to - from : all), 0);
          return (
            <div className="ribbon-row" key={unit}>
              <span className="ribbon-name">{nameOf(of)}</span>
              <div className="ribbon" role="img" aria-label={words.ribbon(nameOf(of), format.span(shared))}>
                {stretches.map(({ from, to, group }) => (
                  <span
                    key={from}
                    className="stretch"
                    data-group={group}
                    style={{ left: place(from), width: `${((to - from) / DAY_MS) * 100}%` }}
                  />
                ))}
              </div>
            </div>
          );
        })}
        <div className="ribbon-hours" aria-hidden="true">
          {MARKS.map((hour) => (
            <span key={hour}>{text.window.schedule.hour(hour)}</span>
          ))}
        </div>
      </div>
      <ul className="ribbon-key">
        {GROUPS.map((group) => (
          <li key={group} data-group={group}>
            {words.groups[group]}
          </li>
        ))}
      </ul>
    </section>
  );
}
