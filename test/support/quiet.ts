import type { Rules } from '../../core/settings.ts';

/** For tests of something else: what the machine that runs them is busy with, or how warm it is, must not decide them. */
export const QUIET: Partial<Rules> = { cpuBusyPercent: null, maxTemperatureC: null };
