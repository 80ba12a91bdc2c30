import type { Rules } from '../../core/settings.ts';
import { useFrame } from '../frame.ts';
import { useSetting } from '../hooks.ts';
import { Dial, Toggle } from '../parts/controls.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import { StopDial, stopsWith } from './stop-dial.tsx';

/** Seconds. */
export const IDLE_STOPS = [10, 30, 60, 120, 180, 300, 600, 900, 1800, 3600] as const;
const PERCENT = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100] as const;
const HEAT = [60, 65, 70, 75, 80, 85, 90, 95, 100] as const;
type FlagKey = {
  [Key in keyof Rules]: Rules[Key] extends boolean ? Key : never;
}[keyof Rules];
type LimitKey = 'cpuBusyPercent' | 'gpuBusyPercent' | 'gpuMemoryPercent' | 'maxTemperatureC';

function Flag({ rule, label, meaning }: { readonly rule: FlagKey; readonly label: string; readonly meaning: string }) {
  const { snapshot, text } = useFrame();
  const { value, change, failure, dismiss } = useSetting(
    snapshot.settings.rules[rule],
    (on) => ({ rules: { [rule]: on } }),
    0,
  );
  return (
    <>
      <Toggle label={label} meaning={meaning} on={value} onChange={change} />
      <FailureNotice title={text.window.limits.failed} failure={failure} onDismiss={dismiss} />
    </>
  );
}

type ThresholdProps = {
  readonly rule: LimitKey;
  readonly label: 'cpuBusy' | 'gpuBusy' | 'gpuMemory' | 'heat';
  readonly meaning: `${ThresholdProps['label']}Meaning`;
  readonly stops: readonly number[];
  readonly unit: 'percent' | 'celsius';
};

const THRESHOLDS: readonly ThresholdProps[] = [
  { rule: 'cpuBusyPercent', label: 'cpuBusy', meaning: 'cpuBusyMeaning', stops: PERCENT, unit: 'percent' },
  { rule: 'gpuBusyPercent', label: 'gpuBusy', meaning: 'gpuBusyMeaning', stops: PERCENT, unit: 'percent' },
  { rule: 'gpuMemoryPercent', label: 'gpuMemory', meaning: 'gpuMemoryMeaning', stops: PERCENT, unit: 'percent' },
  { rule: 'maxTemperatureC', label: 'heat', meaning: 'heatMeaning', stops: HEAT, unit: 'celsius' },
];

function Threshold({ rule, label, meaning, stops, unit }: ThresholdProps) {
  const { snapshot, text } = useFrame();
  const words = text.window.yielding;
  return (
    <StopDial
      label={words[label]}
      meaning={words[meaning]}
      stops={stops}
      present={snapshot.settings.rules[rule]}
      said={words[unit]}
      none={words.off}
      patch={(limit) => ({ rules: { [rule]: limit } })}
    />
  );
}

function Idle() {
  const { snapshot, text, format } = useFrame();
  const words = text.window.limits;
  const { idleAfterSeconds } = snapshot.settings.rules;
  const idle = useSetting(idleAfterSeconds, (seconds) => ({ rules: { idleAfterSeconds: seconds } }));
  const stops = stopsWith(IDLE_STOPS, idleAfterSeconds);
  return (
    <>
      <Dial
        label={words.idle}
        meaning={words.idleMeaning}
        said={format.span(idle.value * 1000)}
        value={Math.max(0, stops.indexOf(idle.value))}
        min={0}
        max={stops.length - 1}
        step={1}
        onChange={(at) => idle.change(stops[at] ?? idleAfterSeconds)}
      />
      <FailureNotice title={words.failed} failure={idle.failure} onDismiss={idle.dismiss} />
    </>
  );
}

/** Everything that work gives way to. */
export function GiveBack() {
  const { text } = useFrame();
  const words = text.window.yielding;
  const { battery, batteryMeaning } = text.window.limits;
  return (
    <section className="panel" aria-labelledby="back">
      <h2 id="back">{words.back}</h2>
      <p className="meaning">{words.backMeaning}</p>
      <div className="columns">
        <div className="column">
          <Idle />
          <Flag rule="restForGames" label={words.games} meaning={words.gamesMeaning} />
          <Flag rule="restForFullscreen" label={words.fullscreen} meaning={words.fullscreenMeaning} />
          <Flag rule="restForMedia" label={words.media} meaning={words.mediaMeaning} />
          <Flag rule="shareOnBattery" label={battery} meaning={batteryMeaning} />
          <Flag rule="shareOnMetered" label={words.metered} meaning={words.meteredMeaning} />
        </div>
        <div className="column">
          {THRESHOLDS.map((each) => (
            <Threshold key={each.rule} {...each} />
          ))}
        </div>
      </div>
    </section>
  );
}
