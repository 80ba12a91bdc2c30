import type { Clock, IdleSource, Source } from '../../agent/ports.ts';
import type { Sensed } from '../../core/signals.ts';

/** A gauge that is read once in a second, and does as it is told. */
export class Gauge<T> implements Source<T> {
  readonly name = 'gauge';
  readonly every = { rest: null, ready: 1_000, watch: 1_000 };
  readonly timeoutMs = 500;
  reads = 0;
  running = 0;
  mostAtOnce = 0;
  answer: () => Promise<Sensed<T>>;
  cry: (() => void) | null = null;
  constructor(answer: () => Promise<Sensed<T>>) {
    this.answer = answer;
  }
  read = async (): Promise<Sensed<T>> => {
    this.reads += 1;
    this.running += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.running);
    try {
      return await this.answer();
    } finally {
      this.running -= 1;
    }
  };
  onChange = (listener: () => void): (() => void) => {
    this.cry = listener;
    return () => {
      this.cry = null;
    };
  };
}

/** Input at a machine, seen as a source sees it. */
export class Person implements IdleSource {
  readonly name: string = 'person';
  readonly timeoutMs = 500;
  asked = 0;
  inputAt: number;
  readonly #clock: Clock;
  constructor(clock: Clock, awayMs: number) {
    this.#clock = clock;
    this.inputAt = clock.now() - awayMs;
  }
  protected now = (): number => this.#clock.now();
  idleMs = async (): Promise<Sensed<number>> => {
    this.asked += 1;
    return this.#clock.now() - this.inputAt;
  };
}

/** One whose return the system tells of. */
export class TellingPerson extends Person {
  listeners = new Set<() => void>();
  onReturn = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  touch(): void {
    this.inputAt = this.now();
    for (const listener of [...this.listeners]) {
      this.listeners.delete(listener);
      listener();
    }
  }
}
