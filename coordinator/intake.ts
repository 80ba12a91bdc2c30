import type { UnixMs } from '../core/primitives.ts';
import { RateLimit } from './rate-limit.ts';

/** Messages a device may send at once, and per second after that: a full reconnect and lively progress stay below. */
const BURST = 5_000;
const PER_SECOND = 200;
/** More than this waiting, in messages or bytes, and the connection is not read until it is down to half. */
const MAX_WAITING = 1_000;
const MAX_WAITING_BYTES = 2 * 1024 * 1024;
/** What had been read before a pause may still come; past this the other side does not heed it. */
const OVERRUN = 2;

/** What one device sent and is not handled yet. Messages are handled one after the other, in the order they came. */
export class Intake {
  readonly #handle: (text: string) => Promise<void>;
  readonly #pause: (paused: boolean) => void;
  readonly #limit = new RateLimit(BURST, PER_SECOND);
  #waiting = 0;
  #bytes = 0;
  #paused = false;
  #turn: Promise<void> = Promise.resolve();

  /** `handle` never rejects; `pause` stops and resumes the reading of the connection. */
  constructor(handle: (text: string) => Promise<void>, pause: (paused: boolean) => void) {
    this.#handle = handle;
    this.#pause = pause;
  }

  /** False when the device sends more than it may: the message is not taken. */
  take(text: string, now: UnixMs): boolean {
    const bytes = Buffer.byteLength(text);
    if (!this.#limit.allows('', now) || this.#fill(bytes) > OVERRUN) return false;
    this.#waiting += 1;
    this.#bytes += bytes;
    this.#flow();
    this.#turn = this.#turn.then(async () => {
      await this.#handle(text);
      this.#waiting -= 1;
      this.#bytes -= bytes;
      this.#flow();
    });
    return true;
  }

  /** Resolves when everything taken is handled. */
  async settled(): Promise<void> {
    await this.#turn;
  }

  /** Share of what may wait, with `more` bytes on top. */
  #fill(more = 0): number {
    return Math.max(this.#waiting / MAX_WAITING, (this.#bytes + more) / MAX_WAITING_BYTES);
  }

  #flow(): void {
    const fill = this.#fill();
    const paused = fill > 1 || (this.#paused && fill > 0.5);
    if (paused === this.#paused) return;
    this.#paused = paused;
    this.#pause(paused);
  }
}
