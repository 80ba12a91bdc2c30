import { LANES, type Lane } from '../../core/primitives.ts';
import { useFrame } from '../frame.ts';
import { useSetting } from '../hooks.ts';
import { Dial, Toggle } from '../parts/controls.tsx';
import { FailureNotice } from '../parts/notice.tsx';

const MIB = 1024 * 1024;
const CPU = { min: 5, max: 100, step: 5 } as const;
const MEMORY = { min: 512, step: 256 } as const;
const DISK = { min: 1024, max: 102_400, step: 1024 } as const;
const IDLE_STOPS = [10, 30, 60, 120, 180, 300, 600, 900, 1800, 3600] as const;

/** The stops of the idle dial, with the present choice among them wherever it lies. */
const stopsWith = (seconds: number): readonly number[] => [...new Set([...IDLE_STOPS, seconds])].sort((a, b) => a - b);

function Resources() {
  const { snapshot, text, format } = useFrame();
  const words = text.window.limits;
  const { limits } = snapshot.settings;
  const { cpuCores, memoryBytes } = snapshot.machine;
  const cores = (count: number): string => text.window.overview.cores(format.number(count, 2));
  const cpu = useSetting(limits.cpuPercent, (cpuPercent) => ({ limits: { cpuPercent } }));
  const memory = useSetting(limits.memoryMiB, (memoryMiB) => ({ limits: { memoryMiB } }));
  const disk = useSetting(limits.minFreeDiskMiB, (minFreeDiskMiB) => ({ limits: { minFreeDiskMiB } }));
  const allMemory = Math.floor(memoryBytes / MIB / MEMORY.step) * MEMORY.step;
  return (
    <section className="panel dials" aria-labelledby="most">
      <h2 id="most">{words.most}</h2>
      <Dial
        label={words.processor}
        meaning={words.processorMeaning(cores(cpuCores))}
        said={words.processorValue(cpu.value, cores((cpuCores * cpu.value) / 100))}
        value={cpu.value}
        {...CPU}
        onChange={cpu.change}
      />
      <FailureNotice title={words.failed} failure={cpu.failure} onDismiss={cpu.dismiss} />
      <Dial
        label={words.memory}
        meaning={words.memoryMeaning(format.memory(memoryBytes / MIB))}
        said={format.memory(memory.value)}
        value={memory.value}
        min={Math.min(MEMORY.min, limits.memoryMiB)}
        max={Math.max(allMemory, limits.memoryMiB)}
        step={MEMORY.step}
        onChange={memory.change}
      />
      <FailureNotice title={words.failed} failure={memory.failure} onDismiss={memory.dismiss} />
      <Dial
        label={words.disk}
        meaning={words.diskMeaning}
        said={format.memory(disk.value)}
        value={disk.value}
        min={Math.min(DISK.min, limits.minFreeDiskMiB)}
        max={Math.max(DISK.max, limits.minFreeDiskMiB)}
        step={DISK.step}
        onChange={disk.change}
      />
      <FailureNotice title={words.failed} failure={disk.failure} onDismiss={disk.dismiss} />
    </section>
  );
}

function When() {
  const { snapshot, text, format } = useFrame();
  const words = text.window.limits;
  const { idleAfterSeconds, shareOnBattery } = snapshot.settings.rules;
  const idle = useSetting(idleAfterSeconds, (seconds) => ({ rules: { idleAfterSeconds: seconds } }));
  const battery = useSetting(shareOnBattery, (on) => ({ rules: { shareOnBattery: on } }), 0);
  const stops = stopsWith(idleAfterSeconds);
  return (
    <section className="panel" aria-labelledby="when">
      <h2 id="when">{words.when}</h2>
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
      <Toggle label={words.battery} meaning={words.batteryMeaning} on={battery.value} onChange={battery.change} />
      <FailureNotice title={words.failed} failure={battery.failure} onDismiss={battery.dismiss} />
    </section>
  );
}

function Lanes() {
  const { snapshot, text } = useFrame();
  const words = text.window.limits;
  const cpu = useSetting(
    snapshot.settings.lanes.cpu.share !== 'never',
    (on) => ({ lanes: { cpu: { share: on ? 'when-idle' : 'never' } } }),
    0,
  );
  const notOffered = (lane: Lane): boolean => {
    const decision = snapshot.lanes.find((view) => view.lane === lane)?.decision;
    return lane !== 'cpu' || (decision?.kind === 'hold' && decision.reason.kind === 'lane-not-offered');
  };
  return (
    <section className="panel" aria-labelledby="lanes">
      <h2 id="lanes">{words.lanes}</h2>
      <div className="lanes">
        {LANES.map((lane) => {
          const closed = notOffered(lane);
          return (
            <Toggle
              key={lane}
              label={text.window.lane(lane)}
              meaning={closed ? words.laneNotOffered : words.laneOffered}
              on={lane === 'cpu' && cpu.value}
              disabled={closed}
              onChange={cpu.change}
            />
          );
        })}
      </div>
      <FailureNotice title={words.failed} failure={cpu.failure} onDismiss={cpu.dismiss} />
    </section>
  );
}

export function Limits() {
  const { text } = useFrame();
  return (
    <div className="page">
      <h1>{text.window.frame.limits}</h1>
      <p className="lead">{text.window.limits.intro}</p>
      <div className="columns">
        <Resources />
        <div className="column">
          <When />
          <Lanes />
        </div>
      </div>
    </div>
  );
}
