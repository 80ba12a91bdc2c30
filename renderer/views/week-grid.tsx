import { useEffect, useRef, useState } from 'react';
import { useFrame } from '../frame.ts';
import { HOURS, isOpen, moved, opposite, type Place, painted, type Week } from '../week.ts';

const HOUR_LIST = Array.from({ length: HOURS }, (_, hour) => hour);
const MARKS = [0, 6, 12, 18] as const;

type GridProps = {
  readonly week: Week;
  readonly current: Place;
  readonly onChange: (week: Week) => void;
};

/** Seven days of 24 hours, to be painted with a pointer or by keyboard; one stop of the Tab key. */
export function WeekGrid({ week, current, onChange }: GridProps) {
  const { text } = useFrame();
  const words = text.window.schedule;
  const [at, setAt] = useState<Place>({ day: 0, hour: 0 });
  const grid = useRef<HTMLTableElement>(null);
  const brush = useRef<boolean | null>(null);
  const latest = useRef(week);
  latest.current = week;

  useEffect(() => {
    const lift = (): void => {
      brush.current = null;
    };
    window.addEventListener('pointerup', lift);
    window.addEventListener('pointercancel', lift);
    return () => {
      window.removeEventListener('pointerup', lift);
      window.removeEventListener('pointercancel', lift);
    };
  }, []);

  const paint = (place: Place, open: boolean): void => {
    latest.current = painted(latest.current, place, open);
    onChange(latest.current);
  };
  const go = (place: Place): void => {
    setAt(place);
    grid.current?.querySelector<HTMLElement>(`[data-place="${place.day} ${place.hour}"]`)?.focus();
  };
  const onKey = (event: React.KeyboardEvent): void => {
    if (event.key === ' ' || event.key === 'Enter') {
      event.preventDefault();
      paint(at, opposite(latest.current, at));
      return;
    }
    const next = moved(at, event.key);
    if (next === null) return;
    event.preventDefault();
    const painting = event.shiftKey && at.day >= 0 && at.hour >= 0 && next.day >= 0 && next.hour >= 0;
    if (painting) paint(next, isOpen(latest.current, at));
    go(next);
  };
  const part = (place: Place) => ({
    'data-place': `${place.day} ${place.hour}`,
    tabIndex: place.day === at.day && place.hour === at.hour ? 0 : -1,
    onPointerDown: (event: React.PointerEvent): void => {
      // A finger holds on to what it touched first; letting go lets the others feel it too.
      if (event.currentTarget.hasPointerCapture(event.pointerId))
        event.currentTarget.releasePointerCapture(event.pointerId);
      brush.current = opposite(latest.current, place);
      setAt(place);
      paint(place, brush.current);
    },
    onPointerEnter: (): void => {
      if (brush.current !== null && place.day >= 0 && place.hour >= 0) paint(place, brush.current);
    },
  });

  return (
    <div>
      {/* biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a table of switches is a grid */}
      <table className="week" role="grid" aria-label={words.grid} ref={grid} onKeyDown={onKey}>
        <thead>
          <tr>
            <th aria-label={words.all} {...part({ day: -1, hour: -1 })} />
            {HOUR_LIST.map((hour) => (
              <th
                key={hour}
                scope="col"
                className="week-hour"
                aria-label={words.wholeHour(hour)}
                {...part({ day: -1, hour })}
              />
            ))}
          </tr>
        </thead>
        <tbody>
          {words.days.map((name, day) => (
            <tr key={name}>
              <th scope="row" className="week-day" aria-label={words.wholeDay(name)} {...part({ day, hour: -1 })}>
                {name}
              </th>
              {HOUR_LIST.map((hour) => {
                const open = isOpen(week, { day, hour });
                return (
                  // biome-ignore lint/a11y/useAriaPropsSupportedByRole: a cell of a grid can be selected
                  <td
                    key={hour}
                    className="week-cell"
                    aria-selected={open}
                    aria-label={words.cell(name, hour, open)}
                    data-now={current.day === day && current.hour === hour}
                    {...part({ day, hour })}
                  />
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
      <div className="week-axis" aria-hidden="true">
        {MARKS.map((hour) => (
          <span key={hour}>{words.hour(hour)}</span>
        ))}
      </div>
    </div>
  );
}
