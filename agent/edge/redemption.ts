import { asFailure } from '../../core/errors.ts';
import type { SignedReceipt } from '../../core/receipts.ts';
import type { CoordinatorMessage, DeviceMessage } from '../../core/wire.ts';
import { type DeliveryOutcome, MOST_RECEIPTS } from '../../core/wire-delivery.ts';
import type { Clock, Log } from '../ports.ts';
import type { ReceiptStore } from './receipts.ts';

/** An answer that does not come is not waited for longer. */
const PATIENCE_MS = 60_000;

type Booked = Extract<CoordinatorMessage, { type: 'deliveries-booked' }>;

export type Redemption = {
  /** A newer receipt is on the disk. */
  readonly kept: (receipt: SignedReceipt) => void;
  /** A session has begun: whatever is on the disk is redeemed. */
  readonly joined: () => void;
  readonly heard: (message: Booked) => void;
  /** The network is left; what is on the disk stays there. */
  readonly reset: () => void;
  readonly close: () => void;
};

export type RedemptionOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly send: (message: DeviceMessage) => boolean;
  /** Of the network that is joined; null: none. */
  readonly store: () => Pick<ReceiptStore, 'all' | 'drop'> | null;
  /** For so long new receipts wait for others, ms: one that stands for many costs the coordinator no more than one. */
  readonly everyMs: number;
  /** What a receipt came to; the answer to one that was sent twice says nothing the second time. */
  readonly booked: (outcome: Exclude<DeliveryOutcome, { readonly refused: unknown }>) => void;
};

const keyOf = ({ session, content }: { readonly session: string; readonly content: string }): string =>
  `${session} ${content}`;

/**
 * Hands kept receipts in: the newest of each session and content, some at a time, again until there is an answer. Only what was booked, or is refused for
 * good, is let go of; a newer one that came meanwhile stays.
 */
export function createRedemption({ clock, log, send, store, everyMs, booked }: RedemptionOptions): Redemption {
  const open = new Map<string, SignedReceipt>();
  /** Of each, what was handed in last. */
  const sent = new Map<string, SignedReceipt>();
  let joined = false;
  let awaited = false;
  let cancelPatience = (): void => undefined;
  let cancelNext: (() => void) | null = null;
  /** Grows with each session and network: what was read for an older one is dropped. */
  let generation = 0;

  function add(receipt: SignedReceipt): void {
    const before = open.get(keyOf(receipt.value));
    if (before === undefined || before.value.bytes < receipt.value.bytes) open.set(keyOf(receipt.value), receipt);
  }

  function answered(): void {
    awaited = false;
    cancelPatience();
  }

  function handIn(): void {
    cancelNext?.();
    cancelNext = null;
    if (!joined || awaited || open.size === 0) return;
    const receipts = [...open.values()].slice(0, MOST_RECEIPTS);
    for (const receipt of receipts) sent.set(keyOf(receipt.value), receipt);
    awaited = true;
    cancelPatience = clock.after(PATIENCE_MS, () => {
      answered();
      handIn();
    });
    // Not sent: the next session begins with all of it.
    if (!send({ type: 'deliveries', receipts })) answered();
  }

  async function load(mine: number): Promise<void> {
    try {
      const found = (await store()?.all()) ?? [];
      if (mine !== generation) return;
      for (const receipt of found) add(receipt);
    } catch (error) {
      log('error', 'receipts-not-read', { detail: asFailure(error).message });
    }
    if (mine === generation) handIn();
  }

  async function done(receipt: SignedReceipt): Promise<void> {
    const key = keyOf(receipt.value);
    sent.delete(key);
    if ((open.get(key)?.value.bytes ?? 0) <= receipt.value.bytes) open.delete(key);
    await store()?.drop(receipt.value);
  }

  function settle(outcome: DeliveryOutcome): void {
    const receipt = sent.get(keyOf(outcome));
    if ('refused' in outcome) log('warn', 'receipt-refused', { ...outcome, bytes: receipt?.value.bytes });
    else booked(outcome);
    if (receipt === undefined) return;
    // Handed in again after a restart it is booked already, and let go of then.
    done(receipt).catch((error: unknown) => log('warn', 'receipt-not-removed', { detail: asFailure(error).message }));
  }

  function stop(): void {
    generation += 1;
    joined = false;
    answered();
    cancelNext?.();
    cancelNext = null;
  }

  return {
    kept(receipt) {
      add(receipt);
      if (cancelNext === null && joined) cancelNext = clock.after(everyMs, handIn);
    },
    joined() {
      stop();
      joined = true;
      load(generation).catch((error: unknown) => void asFailure(error));
    },
    heard({ outcomes }) {
      answered();
      const before = open.size;
      for (const outcome of outcomes) settle(outcome);
      // There were more than go into one message; what has come since waits for its time.
      if (cancelNext === null && open.size < before) handIn();
    },
    reset() {
      stop();
      open.clear();
      sent.clear();
    },
    close: stop,
  };
}
