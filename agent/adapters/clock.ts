import type { Clock } from '../ports.ts';

export const systemClock: Clock = {
  now: () => Date.now(),
  utcOffsetMinutes: () => -new Date().getTimezoneOffset(),
  // Asked anew each time: travellers change it.
  timeZone: () => new Intl.DateTimeFormat().resolvedOptions().timeZone,
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
