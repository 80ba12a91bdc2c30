import { useFrame } from '../frame.ts';
import { useSetting } from '../hooks.ts';
import { Dial } from '../parts/controls.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import { Games } from './games.tsx';
import { Images } from './images.tsx';
import { Lend } from './lend.tsx';
import { Line } from './line.tsx';
import { GiveBack } from './rules.tsx';
import { Hours } from './schedule.tsx';
import { Sensors } from './sensors.tsx';
import { Shares } from './share.tsx';

const MIB = 1024 * 1024;
const CPU = { min: 5, max: 100, step: 5 } as const;
const MEMORY = { min: 512, step: 256 } as const;
const DISK = { min: 1024, max: 102_400, step: 1024 } as const;
const PIDS = { min: 64, max: 4096, step: 64 } as const;

function Resources() {
  const { snapshot, text, format } = useFrame();
  const words = text.window.limits;
  const { limits } = snapshot.settings;
  const { cpuCores, memoryBytes } = snapshot.machine;
  const cores = (count: number): string => text.window.overview.cores(format.number(count, 2));
  const cpu = useSetting(limits.cpuPercent, (cpuPercent) => ({ limits: { cpuPercent } }));
  const memory = useSetting(limits.memoryMiB, (memoryMiB) => ({ limits: { memoryMiB } }));
  const disk = useSetting(limits.minFreeDiskMiB, (minFreeDiskMiB) => ({ limits: { minFreeDiskMiB } }));
  const pids = useSetting(limits.pids, (most) => ({ limits: { pids: most } }));
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
      <Dial
        label={text.window.yielding.pids}
        meaning={text.window.yielding.pidsMeaning}
        said={format.number(pids.value)}
        value={pids.value}
        {...PIDS}
        min={Math.min(PIDS.min, limits.pids)}
        onChange={pids.change}
      />
      <FailureNotice title={words.failed} failure={pids.failure} onDismiss={pids.dismiss} />
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
        <Shares />
      </div>
      <Lend />
      <Line />
      <GiveBack />
      <Hours />
      <div className="columns">
        <Games />
        <Images />
      </div>
      <Sensors />
    </div>
  );
}
