import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { Failure } from '../../core/errors.ts';
import type { Hex32 } from '../../core/primitives.ts';

const DIAL_MS = 10_000;
const SWITCHING = 101;

type Seat = { readonly channelId: Hex32; readonly ticket: string };

/** One end of a channel through the coordinator's relay. Throws COORDINATOR_AWAY, NOT_FOUND (nobody is awaited there) and CANCELLED. */
export function dialRelay(base: string, { channelId, ticket }: Seat, signal?: AbortSignal): Promise<Socket> {
  const url = `${base.replace(/\/+$/, '')}/v1/relay/${channelId}`;
  return new Promise((resolve, reject) => {
    const start = url.startsWith('https:') ? httpsRequest : httpRequest;
    const outgoing = start(url, {
      headers: { connection: 'Upgrade', upgrade: 'idlemesh-relay', authorization: `Bearer ${ticket}` },
      timeout: DIAL_MS,
      // Not one that is kept for other requests: it is the channel's from now on.
      agent: false,
      ...(signal === undefined ? {} : { signal }),
    });
    const away = (message: string, cause?: unknown) => reject(new Failure('COORDINATOR_AWAY', message, { url }, cause));
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer for ${DIAL_MS / 1000} s`)));
    outgoing.on('error', (error) => {
      if (signal?.aborted === true) reject(new Failure('CANCELLED', 'not wanted any more', {}, error));
      else away(`the relay at ${base} cannot be reached: ${error.message}`, error);
    });
    outgoing.on('response', (response) => {
      response.resume();
      const gone = response.statusCode === 404;
      if (gone) reject(new Failure('NOT_FOUND', 'the relay awaits nobody for this channel; open another'));
      else away(`the relay at ${base} answered ${response.statusCode}`);
    });
    outgoing.on('upgrade', (response, socket, head) => {
      if (response.statusCode !== SWITCHING) {
        socket.destroy();
        return away(`the relay at ${base} answered ${response.statusCode}`);
      }
      socket.setTimeout(0);
      (socket as Socket).setNoDelay(true);
      // The other end may have been there first.
      if (head.length > 0) socket.unshift(head);
      resolve(socket as Socket);
    });
    outgoing.end();
  });
}
