import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { GpuPlace, GpuReading, Sensed } from '../../core/signals.ts';
import type { Source } from '../ports.ts';
import { resident } from './resident.ts';

const MIB = 1024 ** 2;
const FIELDS = [
  ...['count', 'index', 'uuid', 'name', 'utilization.gpu', 'memory.total', 'memory.used', 'temperature.gpu'],
  'driver_version',
];

/** The program is there without a GPU, or without a driver: then nobody's work runs on one. */
const NONE = /^(No devices were found|NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver)/;

/** Its driver is handed out whole, by the GPU's UUID: no file of it matters here. */
const PLACE: GpuPlace = { vendor: 'nvidia', render: null, compute: null };

export type NvidiaOptions = {
  readonly command?: string;
  readonly staleMs?: number;
};

/**
 * NVIDIA's GPUs through `nvidia-smi`, which runs on while somebody keeps asking: a process for each question would cost more
 * than the answer. `busyByOthersPercent` and `memoryByOthersBytes` include our own work.
 */
export function nvidiaGpus({
  command = 'nvidia-smi',
  staleMs = 5_000,
}: NvidiaOptions = {}): Source<readonly GpuReading[]> {
  const program = resident<readonly GpuReading[]>({
    command,
    args: [`--query-gpu=${FIELDS.join(',')}`, '--format=csv,noheader,nounits', '-lms', '500'],
    parse: nvidiaLines(),
    staleMs,
    lingerMs: 2_500,
  });
  return {
    name: 'NVIDIA',
    every: { rest: 60_000, ready: 10_000, watch: 500 },
    timeoutMs: staleMs + 1_000,
    read: program.read,
    close: program.close,
  };
}

/** Whether the driver's program is on the path: where it is not, asking again and again would be a waste. */
export const nvidiaInstalled = (path: string = process.env['PATH'] ?? ''): boolean =>
  path
    .split(delimiter)
    .some((folder) => ['nvidia-smi', 'nvidia-smi.exe'].some((name) => folder !== '' && existsSync(join(folder, name))));

/** Gathers one line per GPU until all of a round are there. See `nvidia-smi --help-query-gpu`. */
export function nvidiaLines(): (line: string) => readonly GpuReading[] | 'more' | null {
  let round: GpuReading[] = [];
  return (line) => {
    if (NONE.test(line)) return [];
    const [count, index, id, name, busy, total, used, temperature, driver, ...more] = line.split(', ');
    const sound = more.length === 0 && driver !== undefined && Number(index) === round.length;
    if (!sound || !id?.startsWith('GPU-') || name === undefined || !(Number(count) >= 1)) {
      round = [];
      return null;
    }
    round.push({
      ...{ id, name, driver, place: PLACE },
      ...{ busyByOthersPercent: figure(busy), temperatureC: figure(temperature) },
      memoryBytes: figure(total, MIB),
      memoryByOthersBytes: figure(used, MIB),
    });
    if (round.length < Number(count)) return 'more';
    const complete = round;
    round = [];
    return complete;
  };
}

/** "[N/A]" and "[Not Supported]": this model does not tell. Anything else that is no number is doubt. */
function figure(text: string | undefined, unit = 1): Sensed<number> {
  if (text === undefined) return 'unknown';
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * unit;
  return /^\[?(N\/A|Not Supported)\]?$/.test(text) ? 'unavailable' : 'unknown';
}
