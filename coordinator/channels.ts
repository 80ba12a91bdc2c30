import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { API } from '../core/api.ts';
import { fail } from '../core/errors.ts';
import type { Address, Hex32, UnixMs } from '../core/primitives.ts';
import { type ChannelGrant, type DirectAddress, endpoint, type Purpose } from '../core/wire-channel.ts';
import type { Context } from './context.ts';
import { one } from './db.ts';
import type { App } from './http.ts';
import type { Told } from './lending.ts';
import { DEFAULT_RELAY, Relay } from './relay.ts';
import type { ChannelNote } from './replica.ts';
import { serve } from './router.ts';

/** A device that was away hears of nothing older: it would come too late in any case. */
const COME_WITHIN_MS = 30_000;

const reached = z.object({ direct: z.string().nullable() });

/** Ways between consumers and devices, through this coordinator's relay or past it. */
export class Channels {
  readonly #context: Context;
  readonly #sessionOf: (device: Address) => Told | undefined;
  readonly relay: Relay;

  constructor(context: Context, sessionOf: (device: Address) => Told | undefined) {
    this.#context = context;
    this.#sessionOf = sessionOf;
    this.relay = new Relay({
      limits: { ...DEFAULT_RELAY, ...context.options.relay },
      log: context.options.log,
      carried: (bytes) => context.metrics.relayed(bytes),
    });
  }

  /** Throws NOT_FOUND for a device that is not connected, and TOO_MANY. */
  async open(consumer: Address, device: Address, purpose: Purpose): Promise<ChannelGrant> {
    const { options, replica, tokens } = this.#context;
    const here = this.#sessionOf(device);
    if (here === undefined && !(replica.company && (await this.#known(device)))) {
      fail('NOT_FOUND', 'the device is not connected now; try again later', { device });
    }
    const relay = options.relayUrl ?? null;
    if (relay === null && replica.company) {
      fail(
        'REFUSED',
        'several coordinators share these books, and this one does not know its own address: set relayUrl',
      );
    }
    const channelId: Hex32 = `0x${randomBytes(32).toString('hex')}`;
    const expiresAt: UnixMs = options.clock.now() + COME_WITHIN_MS;
    this.relay.expect(channelId, {
      account: consumer,
      tickets: {
        consumer: tokens.channelTicket(channelId, 'consumer'),
        device: tokens.channelTicket(channelId, 'device'),
      },
      withinMs: COME_WITHIN_MS,
    });
    const note = { channelId, consumer, purpose, relay, expiresAt };
    if (here === undefined) replica.channel(device, note);
    else this.heard(device, note);
    const ticket = tokens.channelTicket(channelId, 'consumer');
    return { channelId, device, relay, ticket, expiresAt, direct: await this.#directOf(device) };
  }

  /** Passes word on to a device that may be connected here. */
  heard(device: Address, note: ChannelNote): void {
    const ticket = this.#context.tokens.channelTicket(note.channelId, 'device');
    this.#sessionOf(device)?.send({ type: 'channel', ...note, ticket });
  }

  /** What an earlier session of it said of its addresses is not true of this one. */
  async joined(device: Address): Promise<void> {
    await this.reachable(device, []);
  }

  async reachable(device: Address, direct: readonly DirectAddress[]): Promise<void> {
    const text = direct.length === 0 ? null : JSON.stringify(direct);
    await this.#context.db.exec('UPDATE devices SET direct = $2 WHERE device = $1 AND direct IS DISTINCT FROM $2', [
      device,
      text,
    ]);
  }

  close(): void {
    this.relay.close();
  }

  async #known(device: Address): Promise<boolean> {
    return (await one(this.#context.db, reached, 'SELECT direct FROM devices WHERE device = $1', [device])) !== null;
  }

  async #directOf(device: Address): Promise<DirectAddress[]> {
    const row = await one(this.#context.db, reached, 'SELECT direct FROM devices WHERE device = $1', [device]);
    return row?.direct == null ? [] : z.array(endpoint).parse(JSON.parse(row.direct));
  }
}

/** The answer to who wants a seat that is not there. */
const NO_SEAT = 'HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n';
const TAKEN = 'HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: idlemesh-relay\r\n\r\n';
const SEAT = /^\/v1\/relay\/(0x[0-9a-f]{64})$/;

export function addChannelRoutes(app: App, context: Context, channels: Channels): void {
  serve(app, context, API.channel, ({ caller, body }) => channels.open(caller.account, body.device, body.purpose));
  serve(app, context, API.relay, async () =>
    fail('BAD_INPUT', 'this is one end of a channel; come with Upgrade: idlemesh-relay and its ticket'),
  );
  app.upgrades.set('idlemesh-relay', (request, socket, head) => {
    const [scheme, ticket = ''] = (request.headers.authorization ?? '').split(' ');
    const channelId = SEAT.exec(request.url ?? '')?.[1];
    const seat = channels.relay.seatFor(channelId as Hex32, scheme?.toLowerCase() === 'bearer' ? ticket : '');
    if (seat === null) return void socket.end(NO_SEAT);
    socket.write(TAKEN);
    if (head.length > 0) socket.unshift(head);
    seat(socket);
  });
}
