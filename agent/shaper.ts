import { Failure } from '../core/errors.ts';
import { type Flow, filled, fullBucket, mayPass, taken, waitFor } from '../core/token-bucket.ts';
import type { Clock } from './ports.ts';

/** What one stream may take before another has its turn, at most and at least. */
const PIECE_BYTES = 32 * 1024;
const LEAST_PIECE_BYTES = 1024;
/** A piece needs no full bucket: what comes while a timer is late must not be lost, or the rate would not be reached. */
const PIECES_A_BURST = 4;
/** What a stream that was briefly not there may catch up: between two of its pieces it is never there. */
const CLAIM_BYTES = 16 * PIECE_BYTES;

/** One stream's account: what it has had, in terms of all streams. */
type Account = { had: number };
type Waiting = { readonly account: Account; readonly bytes: number; readonly go: () => void };

/** Holds streams back to a rate that may change at any time. Those that wait take turns: each gets as many bytes as the others. */
export type Shaper = {
  readonly limit: (flow: Flow) => void;
  /** A stream's own way through: resolves when the bytes may pass. Throws CANCELLED when aborted. */
  readonly stream: () => (bytes: number, signal?: AbortSignal) => Promise<void>;
  /** Bytes that should pass at once for an even flow; Infinity: there is no rate. */
  readonly piece: () => number;
  /** What has passed beside it counts as well. */
  readonly charge: (bytes: number) => void;
  /** Lets everything pass that waits. */
  readonly close: () => void;
};

export function createShaper(clock: Pick<Clock, 'now' | 'after'>): Shaper {
  let flow: Flow = { rate: null, burst: PIECE_BYTES };
  let bucket = fullBucket(flow, clock.now());
  const waiting = new Set<Waiting>();
  /** What the stream that was served last had then: who comes new has no claim to the past. */
  let level = 0;
  let cancel = (): void => undefined;

  function pump(): void {
    cancel();
    for (;;) {
      const next = [...waiting].reduce<Waiting | null>(
        (least, one) => (least === null || one.account.had < least.account.had ? one : least),
        null,
      );
      if (next === null) return;
      bucket = filled(bucket, flow, clock.now());
      if (!mayPass(bucket, flow, next.bytes)) {
        cancel = clock.after(Math.max(1, waitFor(bucket, flow, next.bytes)), pump);
        return;
      }
      pass(next.account, next.bytes);
      waiting.delete(next);
      next.go();
    }
  }

  function pass(account: Account, bytes: number): void {
    if (flow.rate !== null) bucket = taken(bucket, bytes);
    level = Math.max(level, account.had);
    account.had += bytes;
  }

  const pieceBytes = (): number =>
    flow.rate === null
      ? Number.POSITIVE_INFINITY
      : Math.min(PIECE_BYTES, Math.max(LEAST_PIECE_BYTES, Math.floor(flow.burst / PIECES_A_BURST)));

  async function piece(account: Account, bytes: number, signal: AbortSignal | undefined): Promise<void> {
    if (flow.rate === null) return pass(account, bytes);
    account.had = Math.max(account.had, level - CLAIM_BYTES);
    let leave = (): void => undefined;
    await new Promise<void>((resolve) => {
      const own: Waiting = { account, bytes, go: resolve };
      leave = () => {
        waiting.delete(own);
        resolve();
      };
      waiting.add(own);
      signal?.addEventListener('abort', leave, { once: true });
      pump();
    });
    signal?.removeEventListener('abort', leave);
  }

  return {
    limit(next) {
      if (next.rate === flow.rate && next.burst === flow.burst) return;
      // What was saved up at the old rate is no more than the new one would have let.
      bucket = filled(filled(bucket, flow, clock.now()), next, clock.now());
      flow = next;
      pump();
    },
    stream() {
      const account: Account = { had: level };
      return async (bytes, signal) => {
        for (let left = bytes; left > 0; ) {
          if (signal?.aborted === true) throw new Failure('CANCELLED', 'the transfer was cancelled');
          const next = Math.min(left, pieceBytes());
          await piece(account, next, signal);
          left -= next;
        }
        if (signal?.aborted === true) throw new Failure('CANCELLED', 'the transfer was cancelled');
      };
    },
    piece: pieceBytes,
    charge(bytes) {
      if (flow.rate !== null) bucket = taken(filled(bucket, flow, clock.now()), bytes);
    },
    close() {
      cancel();
      for (const { go } of waiting) go();
      waiting.clear();
    },
  };
}
