import { useState } from 'react';
import type { UnixMs } from '../../core/primitives.ts';
import { useFrame } from '../frame.ts';

/** As many as stand side by side in the narrowest window, in the longest language. */
const LABELS = 5;

export type Bar = {
  readonly start: UnixMs;
  /** Of the tallest, 0..100. */
  readonly height: number;
  /** From the bottom up: of this bar, 0..100. */
  readonly parts: readonly { readonly lane: string; readonly percent: number }[];
  /** What is told of it under the pointer. */
  readonly said: string;
};

type BarsProps = {
  readonly bars: readonly Bar[];
  readonly label: string;
  /** What the tallest stands for. */
  readonly most: string;
  /** Shown while nothing is pointed at. */
  readonly title?: string;
};

/** Days as bars, each in parts by lane; the same is to be had as a table. */
export function Bars({ bars, label, most, title = ' ' }: BarsProps) {
  const [active, setActive] = useState<Bar | null>(null);
  return (
    <div className="bars">
      <p className="bars-said" aria-hidden="true">
        {active?.said ?? title}
      </p>
      <div className="bars-field" role="img" aria-label={label}>
        <span className="bars-most">{most}</span>
        {bars.map((bar) => (
          <div
            className="bar"
            key={bar.start}
            onPointerEnter={() => setActive(bar)}
            onPointerLeave={() => setActive(null)}
          >
            <div className="bar-field">
              <div className="bar-stack" style={{ height: `${bar.height}%` }}>
                {bar.parts.map(({ lane, percent }) => (
                  <div key={lane} className="bar-part" data-lane={lane} style={{ height: `${percent}%` }} />
                ))}
              </div>
            </div>
          </div>
        ))}
      </div>
      <DayAxis days={bars.map(({ start }) => start)} />
    </div>
  );
}

/** Some of the days, each below its own. */
export function DayAxis({ days }: { readonly days: readonly UnixMs[] }) {
  const { format } = useFrame();
  const every = Math.ceil(days.length / LABELS);
  return (
    <div
      className="bar-days"
      aria-hidden="true"
      style={{ '--days': every, '--all': days.length } as React.CSSProperties}
    >
      {days
        .filter((_day, at) => (days.length - 1 - at) % every === 0)
        .map((day) => (
          <span className="bar-day" key={day}>
            {format.axisDay(day)}
          </span>
        ))}
    </div>
  );
}
