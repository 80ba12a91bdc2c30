import { Refusal } from './refusal.mjs';

/**
 * Counts every byte that passes, holds them to a rate, and lets none pass beyond the cap.
 *
 * @typedef {'sent' | 'received'} Way
 * @typedef {{
 *   readonly pass: (way: Way, bytes: number) => Promise<void>,
 *   readonly limit: (bytesPerSecond: number | null) => void,
 *   readonly counted: () => Readonly<Record<Way, number>>,
 * }} Meter `pass` resolves when so many bytes may go on, and throws a `Refusal` when they never may. `limit`: null is without
 *   bound, 0 stands still.
 */

/** What may pass at once after a rest, in time. */
const BURST_MS = 100;

/**
 * @param {{
 *   readonly maxBytes: number,
 *   readonly bytesPerSecond: number | null,
 *   readonly now: () => number,
 *   readonly after: (ms: number, run: () => void) => () => void,
 * }} options `now`: ms, never goes back; `after` answers what cancels it
 * @returns {Meter}
 */
export function createMeter({ maxBytes, bytesPerSecond, now, after }) {
  const counted = { sent: 0, received: 0 };
  let rate = bytesPerSecond;
  /** Bytes that may pass now; below zero: how many are owed first. */
  let credit = 0;
  let at = now();
  /** What is smaller than the piece that did not fit does not pass either. */
  let spent = false;
  /** @type {(() => void)[]} */
  const waiting = [];
  let cancel = () => {};

  function refill() {
    const time = now();
    if (rate !== null) credit = Math.min((rate * BURST_MS) / 1000, credit + (rate * (time - at)) / 1000);
    at = time;
  }

  /** One after the other, in the order in which they came: large pieces are not overtaken for ever. */
  function serve() {
    cancel();
    cancel = () => {};
    refill();
    while (waiting.length > 0 && (rate === null || (rate > 0 && credit >= 0))) waiting.shift()?.();
    if (waiting.length > 0 && rate !== null && rate > 0) cancel = after(Math.ceil((-credit / rate) * 1000) + 1, serve);
  }

  return {
    async pass(way, bytes) {
      spent ||= counted.sent + counted.received + bytes > maxBytes;
      if (spent) {
        throw new Refusal(403, 'bytes', `no more than ${maxBytes} bytes may pass in one run`);
      }
      counted[way] += bytes;
      await new Promise((resolve) => {
        waiting.push(() => {
          if (rate !== null) credit -= bytes;
          resolve(undefined);
        });
        serve();
      });
    },
    limit(next) {
      refill();
      // What was owed at one rate is not paid off at another.
      credit = 0;
      rate = next;
      serve();
    },
    counted: () => ({ ...counted }),
  };
}
