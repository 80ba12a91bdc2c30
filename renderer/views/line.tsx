import type { Settings } from '../../core/settings.ts';
import type { TrafficView } from '../../core/snapshot.ts';
import { calendarDay } from '../../core/text/format.ts';
import { momentAt } from '../format.ts';
import { useFrame } from '../frame.ts';
import { useSetting } from '../hooks.ts';
import { Dial } from '../parts/controls.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import { StopDial } from './stop-dial.tsx';

const GIB = 1024 ** 3;
const BITS_PER_MBIT = 1_000_000;
const RATES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] as const;
const CAPS = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000] as const;
type Key = Exclude<keyof Settings['limits']['network'], 'resetDay'>;
type Name = 'idleDown' | 'idleUp' | 'busyDown' | 'busyUp' | 'cap';
const DIALS: readonly {
  readonly of: Key;
  readonly name: Name;
  readonly meaning: 'idle' | 'busy' | 'results' | 'cap';
}[] = [
  { of: 'idleDownMbps', name: 'idleDown', meaning: 'idle' },
  { of: 'idleUpMbps', name: 'idleUp', meaning: 'idle' },
  { of: 'busyDownMbps', name: 'busyDown', meaning: 'busy' },
  { of: 'busyUpMbps', name: 'busyUp', meaning: 'results' },
  { of: 'monthlyCapGiB', name: 'cap', meaning: 'cap' },
];

function LineDial({ of, name, meaning }: (typeof DIALS)[number]) {
  const { snapshot, text } = useFrame();
  const words = text.window.network;
  return (
    <StopDial
      label={words[name]}
      meaning={words[`${meaning}Meaning`]}
      stops={name === 'cap' ? CAPS : RATES}
      present={snapshot.settings.limits.network[of]}
      said={name === 'cap' ? words.data : words.rate}
      none={words.unlimited}
      patch={(limit) => ({ limits: { network: { [of]: limit } } })}
    />
  );
}

function ResetDay() {
  const { snapshot, text, format } = useFrame();
  const words = text.window.lend;
  const day = useSetting(snapshot.settings.limits.network.resetDay, (resetDay) => ({
    limits: { network: { resetDay } },
  }));
  return (
    <>
      <Dial
        label={words.resetDay}
        meaning={words.resetDayMeaning}
        said={words.resetDaySaid(format.number(day.value))}
        value={day.value}
        {...{ min: 1, max: 28, step: 1 }}
        onChange={day.change}
      />
      <FailureNotice title={text.window.limits.failed} failure={day.failure} onDismiss={day.dismiss} />
    </>
  );
}

function Used({ traffic }: { readonly traffic: TrafficView }) {
  const { text, format, language } = useFrame();
  const words = text.window.network;
  const { monthBytesIn: into, monthBytesOut: out, capBytes, resetsAt, inPerSecond, outPerSecond } = traffic;
  const data = (bytes: number): string => words.data(format.number(bytes / GIB, 1));
  const rate = (bytes: number): string => words.rate(format.number((bytes * 8) / BITS_PER_MBIT, 1));
  const day = calendarDay(resetsAt, momentAt(resetsAt), language);
  const used =
    capBytes === null
      ? words.used(data(into), data(out), day)
      : words.usedOf(data(into + out), data(capBytes), data(into), data(out), day);
  return (
    <p className="meaning">
      {used}
      {inPerSecond + outPerSecond > 0 && ` ${words.now(rate(inPerSecond), rate(outPerSecond))}`}
    </p>
  );
}

/** What work may use of the owner's line, and what it has used. */
export function Line() {
  const { snapshot, text } = useFrame();
  return (
    <section className="panel dials" aria-labelledby="line">
      <h2 id="line">{text.window.network.title}</h2>
      {snapshot.traffic !== null && <Used traffic={snapshot.traffic} />}
      {DIALS.map((dial) => (
        <LineDial key={dial.of} {...dial} />
      ))}
      <ResetDay />
    </section>
  );
}
