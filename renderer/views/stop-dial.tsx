import type { SettingsPatch } from '../../core/settings.ts';
import { useFrame } from '../frame.ts';
import { useSetting } from '../hooks.ts';
import { Dial } from '../parts/controls.tsx';
import { FailureNotice } from '../parts/notice.tsx';

/** Beyond the last stop: no limit. A setting is one plain value, and no limit is 0. */
const NONE = 0;

/** The stops of a dial, with the present choice among them wherever it lies. */
export const stopsWith = (stops: readonly number[], present: number): readonly number[] =>
  [...new Set([...stops, present])].filter((stop) => stop !== NONE).sort((a, b) => a - b);

type StopDialProps = {
  readonly label: string;
  readonly meaning: string;
  readonly stops: readonly number[];
  readonly present: number | null;
  /** What is said of a stop, and of none. */
  readonly said: (stop: string) => string;
  readonly none: string;
  readonly patch: (stop: number | null) => SettingsPatch;
};

/** A limit with a few stops, and none beyond the last. */
export function StopDial({ label, meaning, stops, present, said, none, patch }: StopDialProps) {
  const { text, format } = useFrame();
  const now = present ?? NONE;
  const { value, change, failure, dismiss } = useSetting(now, (stop) => patch(stop === NONE ? null : stop));
  const all = [...stopsWith(stops, now), NONE];
  return (
    <>
      <Dial
        label={label}
        meaning={meaning}
        said={value === NONE ? none : said(format.number(value))}
        value={Math.max(0, all.indexOf(value))}
        min={0}
        max={all.length - 1}
        step={1}
        onChange={(at) => change(all[at] ?? now)}
      />
      <FailureNotice title={text.window.limits.failed} failure={failure} onDismiss={dismiss} />
    </>
  );
}
