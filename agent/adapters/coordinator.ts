import { WebSocket } from 'ws';
import { z } from 'zod';
import { asFailure, fail, isFailure } from '../../core/errors.ts';
import type { Lane } from '../../core/primitives.ts';
import type { CoordinatorState } from '../../core/signals.ts';
import {
  type CoordinatorMessage,
  claimAccepted,
  coordinatorMessage,
  type DeviceMessage,
  encodeWire,
  networkInfo,
  ownerBooks,
  ownerProof,
} from '../../core/wire.ts';
import type { CoordinatorDirectory, CoordinatorLink, Log, Traffic } from '../ports.ts';
import { download, upload } from './blobs.ts';
import { ask, askText } from './http.ts';

const BACKOFF_MS = { first: 1_000, last: 60_000 } as const;
const HANDSHAKE_MS = 10_000;
/** The network pings every 15 s: silence for longer than three pings is a dead connection. */
const SILENCE_MS = 50_000;
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
const REFUSALS: ReadonlySet<string> = new Set(['UNAUTHORISED', 'REFUSED', 'CONFLICT', 'BAD_INPUT']);

/** A frame's header and its mask, the smallest of them. */
const FRAME_BYTES = 6;

type Meter = Pick<Traffic, 'add' | 'passage'>;
/** For who asks who is there, and transfers nothing. */
export const UNCOUNTED: Meter = { add: () => undefined, passage: () => async () => undefined };

type Connect = Parameters<CoordinatorDirectory['connect']>[0];

const base = (url: string): string => url.replace(/\/+$/, '');

/** Coordinators over HTTP and WebSocket. */
export function coordinatorDirectory(options: { readonly log: Log; readonly traffic: Meter }): CoordinatorDirectory {
  const { log, traffic } = options;
  return {
    network: (url) => ask(`${base(url)}/v1/network`, { method: 'GET' }, networkInfo),
    async enrol(url, value, signature) {
      await ask(`${base(url)}/v1/enrollments`, { method: 'POST', body: { value, signature } }, z.unknown());
    },
    connect: (wanted) => connect(wanted, log, traffic),
    catalogue: (url, known) => askText(`${base(url)}/v1/catalogue`, known),
  };
}

function connect({ url, network, owner, key, hello }: Connect, log: Log, traffic: Meter): CoordinatorLink {
  const root = base(url);
  const messages = new Set<(message: CoordinatorMessage) => void>();
  const states = new Set<(state: CoordinatorState) => void>();
  let state: CoordinatorState = { kind: 'connecting' };
  let socket: WebSocket | null = null;
  let token: string | null = null;
  let wait: number = BACKOFF_MS.first;
  let timer: NodeJS.Timeout | undefined;
  let silence: NodeJS.Timeout | undefined;
  let closed = false;

  function become(next: CoordinatorState): void {
    state = next;
    for (const listener of [...states]) listener(next);
  }

  function open(): void {
    if (closed) return;
    const opened = new WebSocket(`${root.replace(/^http/, 'ws')}/v1/session`, {
      handshakeTimeout: HANDSHAKE_MS,
      maxPayload: MAX_MESSAGE_BYTES,
    });
    socket = opened;
    let detail = 'the connection was closed';
    let refusal: string | null = null;
    const alive = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => opened.terminate(), SILENCE_MS);
    };
    opened.on('open', alive);
    opened.on('ping', alive);
    opened.on('error', (error) => {
      detail = error.message || 'the connection failed';
    });
    opened.on('message', (data) => {
      alive();
      const text = String(data);
      traffic.add('session', 'in', Buffer.byteLength(text) + FRAME_BYTES);
      const message = read(text);
      if (message === null) return;
      if (message.type === 'error' && token === null && REFUSALS.has(message.code)) refusal = message.message;
      if (message.type !== 'challenge') return receive(message);
      if (message.networkId !== network.networkId) {
        refusal = 'another network lives at this address now';
        opened.close();
        return;
      }
      greet(opened, message.nonce).catch((error: unknown) => {
        detail = asFailure(error).message;
        opened.close();
      });
    });
    opened.on('close', () => {
      if (socket !== opened || closed) return;
      clearTimeout(silence);
      socket = null;
      token = null;
      const since = state.kind === 'away' ? state.since : Date.now();
      become(refusal === null ? { kind: 'away', since, detail } : { kind: 'refused', detail: refusal });
      if (closed) return;
      // Jitter: a coordinator that comes back is not met by all devices at once.
      timer = setTimeout(open, wait * (0.5 + Math.random()));
      wait = Math.min(wait * 2, BACKOFF_MS.last);
    });
  }

  async function greet(opened: WebSocket, nonce: `0x${string}`): Promise<void> {
    const value = { device: key.address, networkId: network.networkId, nonce, issuedAt: Date.now() };
    const signature = await key.sign('Session', value);
    say(opened, encodeWire({ type: 'hello', value, signature, ...hello() }));
  }

  function say(to: WebSocket, text: string): void {
    traffic.add('session', 'out', Buffer.byteLength(text) + FRAME_BYTES);
    to.send(text);
  }

  function read(text: string): CoordinatorMessage | null {
    try {
      return coordinatorMessage.parse(JSON.parse(text));
    } catch (error) {
      log('warn', 'message-not-understood', { detail: asFailure(error).message.slice(0, 200) });
      return null;
    }
  }

  function receive(message: CoordinatorMessage): void {
    if (message.type === 'welcome') {
      token = message.token;
      wait = BACKOFF_MS.first;
      become({ kind: 'connected', since: Date.now() });
    }
    for (const listener of [...messages]) listener(message);
  }

  const blob = (sha256: string, token: string, path: string, lane: Lane) => ({
    ...{ url: `${root}/v1/blobs/${sha256}`, token, path },
    passage: traffic.passage(lane),
  });

  /** A token that is no longer good comes anew with the next welcome. */
  async function withToken(use: (token: string) => Promise<void>): Promise<void> {
    if (token === null) fail('COORDINATOR_AWAY', 'not connected');
    try {
      await use(token);
    } catch (error) {
      if (!isFailure(error, 'UNAUTHORISED')) throw error;
      socket?.close();
      fail('COORDINATOR_AWAY', 'the access had run out; connecting again', {}, error);
    }
  }

  return {
    start: open,
    state: () => state,
    send(message: DeviceMessage) {
      if (socket === null || token === null || socket.readyState !== WebSocket.OPEN) return false;
      say(socket, encodeWire(message));
      return true;
    },
    onMessage(listener) {
      messages.add(listener);
      return () => messages.delete(listener);
    },
    onState(listener) {
      states.add(listener);
      return () => states.delete(listener);
    },
    download: (sha256, bytes, path, lane) =>
      withToken((good) => download(blob(sha256, good, path, lane), sha256, bytes)),
    upload: (sha256, path, lane) => withToken((good) => upload(blob(sha256, good, path, lane))),
    books: () => ask(`${root}/v1/owners/${owner}`, { method: 'GET' }, ownerBooks),
    async proof() {
      try {
        return await ask(`${root}/v1/proofs/${owner}`, { method: 'GET' }, ownerProof);
      } catch (error) {
        if (isFailure(error, 'NOT_FOUND')) return null;
        throw error;
      }
    },
    async relayClaim(value, signature, { epoch, proof }) {
      const body = { value, signature, epoch, proof };
      return (await ask(`${root}/v1/claims`, { method: 'POST', body }, claimAccepted)).txHash;
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      clearTimeout(silence);
      const open = socket;
      socket = null;
      token = null;
      messages.clear();
      states.clear();
      if (open === null || open.readyState === WebSocket.CLOSED) return;
      await new Promise<void>((resolve) => {
        open.once('close', () => resolve());
        // A peer that does not answer the farewell is left without one.
        setTimeout(() => open.terminate(), 500).unref();
        open.close();
      });
    },
  };
}
