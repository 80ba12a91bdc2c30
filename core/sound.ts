import type { GpuReading, Sensed, Signals } from './signals.ts';

const finite = (value: Sensed<number>): Sensed<number> =>
  typeof value === 'number' && !Number.isFinite(value) ? 'unknown' : value;
const amount = (value: Sensed<number>): Sensed<number> =>
  typeof value === 'number' && !(Number.isFinite(value) && value >= 0) ? 'unknown' : value;

const gpu = (reading: GpuReading): GpuReading => ({
  ...reading,
  busyByOthersPercent: amount(reading.busyByOthersPercent),
  memoryBytes: amount(reading.memoryBytes),
  memoryByOthersBytes: amount(reading.memoryByOthersBytes),
  temperatureC: finite(reading.temperatureC),
});

/** The signals with every figure that cannot be one (NaN, infinite, less than nothing) as unknown: no comparison is true of those. */
export const sound = (signals: Signals): Signals => ({
  ...signals,
  idleMs: amount(signals.idleMs),
  cpuByOthersPercent: amount(signals.cpuByOthersPercent),
  gpus: typeof signals.gpus === 'string' ? signals.gpus : signals.gpus.map(gpu),
  temperatureC: finite(signals.temperatureC),
  freeDiskBytes: amount(signals.freeDiskBytes),
});
