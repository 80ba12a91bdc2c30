import { timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { fail } from '../core/errors.ts';
import type { Address, Hex32 } from '../core/primitives.ts';
import type { Log } from './options.ts';

export type RelayLimits = {
  /** Channels at once: of one account, and of all. */
  readonly perAccount: number;
  readonly inAll: number;
  /** A channel through which nothing passes for so long is closed. */
  readonly idleMs: number;
};
export const DEFAULT_RELAY: RelayLimits = { perAccount: 64, inAll: 4_096, idleMs: 5 * 60_000 };

type End = 'consumer' | 'device';
const OTHER: Readonly<Record<End, End>> = { consumer: 'device', device: 'consumer' };

type Expected = {
  readonly account: Address;
  readonly tickets: Readonly<Record<End, string>>;
  readonly withinMs: number;
};

type Pair = Expected & { readonly ends: Map<End, Socket>; readonly timer: NodeJS.Timeout };

type RelayOptions = {
  readonly limits: RelayLimits;
  readonly log: Log;
  /** Bytes of one direction of a channel that is over. */
  readonly carried: (bytes: number) => void;
};

/**
 * Passes bytes between two sockets that came for the same channel, at the pace of the slower one. It sees TLS between the two
 * ends and holds no key. Of each direction it holds at most what two sockets buffer.
 */
export class Relay {
  readonly #options: RelayOptions;
  readonly #pairs = new Map<Hex32, Pair>();
  readonly #perAccount = new Map<Address, number>();

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  get channels(): number {
    return this.#pairs.size;
  }

  /** Throws TOO_MANY. */
  expect(channelId: Hex32, expected: Expected): void {
    const { perAccount, inAll } = this.#options.limits;
    const count = this.#perAccount.get(expected.account) ?? 0;
    if (count >= perAccount) fail('TOO_MANY', `${perAccount} channels of yours are open; close some first`);
    if (this.#pairs.size >= inAll) fail('TOO_MANY', 'the relay is full; try again in a moment');
    this.#perAccount.set(expected.account, count + 1);
    const timer = setTimeout(() => this.#end(channelId, 'not-met'), expected.withinMs);
    this.#pairs.set(channelId, { ...expected, ends: new Map(), timer });
  }

  /** The place that a ticket is for; it is taken with the socket. null: there is no such channel, or nobody is awaited there with that ticket. */
  seatFor(channelId: Hex32, ticket: string): ((socket: Socket) => void) | null {
    const pair = this.#pairs.get(channelId);
    const end = (['consumer', 'device'] as const).find((one) => pair !== undefined && same(pair.tickets[one], ticket));
    if (pair === undefined || end === undefined || pair.ends.has(end)) return null;
    return (socket: Socket) => this.#sit(channelId, pair, end, socket);
  }

  close(): void {
    for (const channelId of [...this.#pairs.keys()]) this.#end(channelId, 'closing');
  }

  #sit(channelId: Hex32, pair: Pair, end: End, socket: Socket): void {
    const other = pair.ends.get(OTHER[end]);
    pair.ends.set(end, socket);
    socket.removeAllListeners('timeout');
    socket.setNoDelay(true);
    socket.setTimeout(this.#options.limits.idleMs, () => this.#end(channelId, 'idle'));
    socket.on('error', () => this.#end(channelId, 'broken'));
    // With one end the other is over: half-open TLS carries nothing.
    socket.on('close', () => this.#end(channelId, 'left'));
    // Until the other is there nothing is read: the socket's own buffer is all that waits.
    if (other === undefined) return;
    clearTimeout(pair.timer);
    socket.pipe(other);
    other.pipe(socket);
  }

  #end(channelId: Hex32, why: string): void {
    const pair = this.#pairs.get(channelId);
    if (pair === undefined) return;
    this.#pairs.delete(channelId);
    clearTimeout(pair.timer);
    const left = (this.#perAccount.get(pair.account) ?? 1) - 1;
    if (left > 0) this.#perAccount.set(pair.account, left);
    else this.#perAccount.delete(pair.account);
    for (const socket of pair.ends.values()) {
      this.#options.carried(socket.bytesRead);
      // What was passed on is still to arrive.
      socket.destroySoon();
    }
    this.#options.log('debug', 'channel-over', { channelId, why });
  }
}

function same(known: string, given: string): boolean {
  const [a, b] = [Buffer.from(known), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}
