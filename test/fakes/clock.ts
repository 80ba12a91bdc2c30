import type { Clock } from '../../agent/ports.ts';

type Timer = { readonly at: number; readonly order: number; readonly run: () => void };

/** Time that passes only when told. Real input and output of the code under test is waited for with `until`. */
export class FakeClock implements Clock {
  #now: number;
  #order = 0;
  #timers = new Set<Timer>();
  offset = 0;

  constructor(now = Date.UTC(2026, 0, 15, 12)) {
    this.#now = now;
  }
  now = (): number => this.#now;
  utcOffsetMinutes = (): number => this.offset;
  timeZone = (): string => 'UTC';
  after = (ms: number, run: () => void): (() => void) => {
    const timer = { at: this.#now + Math.max(0, ms), order: this.#order++, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };
  /** Timers that wait: a closed agent leaves none. */
  pending = (): number => this.#timers.size;

  /** Lets `ms` pass, running what falls due in order and letting promises settle in between. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settle();
      const next = [...this.#timers]
        .filter((timer) => timer.at <= end)
        .sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
    }
    this.#now = end;
    await settle();
  }

  /** Lets time pass in small steps until `condition` holds; gives up after `limitMs` of fake time. */
  async until(condition: () => boolean, what: string, limitMs = 120_000): Promise<void> {
    for (let passed = 0; !condition(); passed += 50) {
      if (passed > limitMs) throw new Error(`never happened: ${what}`);
      await this.advance(50);
      // Files are real: their operations get real time, so that the fake one does not outrun them.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

/** Lets pending promises, and file operations that are quick, take their turn. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
}
