import x11 from 'x11';
import { fail } from '../../core/errors.ts';
import { type Kept, keepOpen } from './back-off.ts';
import { guardStream } from './guard-stream.ts';

/** One conversation with one X server. Whatever is asked after it went rejects. */
export type XSession = {
  readonly client: x11.Client;
  readonly root: number;
  /** Milliseconds since the last input; null: the server does not tell. */
  readonly idle: (() => Promise<number>) | null;
  /** The server's own counter of idle time, where it can wake us; null: ask `idle` again and again. */
  readonly counter: { readonly sync: x11.Sync; readonly id: number } | null;
  readonly randr: x11.RandR | null;
  /** Makes a call with an answer. Rejects on an error, and when the connection goes. */
  readonly ask: <T>(request: (reply: x11.Reply<T>) => void) => Promise<T>;
  readonly onEvent: (listener: (event: x11.X11Event) => void) => () => void;
  readonly end: () => void;
};

export type XServer = Kept<XSession>;

const CONNECT_MS = 5_000;

/** Keeps a connection to the server of `display`; the cookie comes from XAUTHORITY or the home folder. */
export const xServer = (display: string, firstPauseMs?: number): XServer =>
  keepOpen({
    open: (lost) => open(display, lost),
    shut: (session) => session.end(),
    ...(firstPauseMs === undefined ? {} : { firstMs: firstPauseMs }),
  });

async function open(display: string, lost: () => void): Promise<XSession> {
  const pending = new Set<(error: Error) => void>();
  const listeners = new Set<(event: x11.X11Event) => void>();
  let ended = false;
  const end = (): void => {
    if (ended) return;
    ended = true;
    client?.stream?.destroy();
    for (const reject of pending) reject(new Error('the X server went'));
    pending.clear();
    listeners.clear();
    lost();
  };
  let client: x11.Client | null = null;
  const ask = <T>(request: (reply: x11.Reply<T>) => void): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (ended) {
        reject(new Error('the X server went'));
        return;
      }
      pending.add(reject);
      request((error, value) => {
        pending.delete(reject);
        if (error) reject(error);
        else resolve(value);
        // Tells the package that the error is dealt with.
        return true;
      });
    });

  const late = setTimeout(end, CONNECT_MS);
  try {
    const { screen } = await ask<x11.Display>((reply) => {
      client = x11.createClient({ display, shm: false, disableBigRequests: true }, reply);
      client.on('error', () => {
        // Errors of single requests arrive here too: only those of the connection end it, which `close` and `end` tell.
      });
      client.on('end', end);
      client.on('event', (event) => {
        for (const listener of [...listeners]) listener(event);
      });
    });
    const connected = client as x11.Client | null;
    const root = screen[0]?.root;
    if (connected === null || root === undefined) throw new Error('the X server has no screen');
    if (connected.stream !== undefined) guardStream(connected.stream, end);
    connected.stream?.on('close', end);
    // Looking alone keeps no program alive.
    connected.stream?.unref();
    // The package keeps one table of atoms for all servers; they are of one server, and another has others.
    connected.atoms = {};
    const has = <T>(request: (reply: x11.Reply<T>) => void): Promise<T | null> => ask(request).catch(() => null);
    const sync = await has<x11.Sync>((reply) => connected.require('sync', reply));
    const counters = sync === null ? [] : await ask<readonly x11.Counter[]>((reply) => sync.ListSystemCounters(reply));
    const id = counters.find(({ name }) => name === 'IDLETIME')?.counter;
    const counter = sync === null || id === undefined ? null : { sync, id };
    const saver =
      counter !== null ? null : await has<x11.ScreenSaver>((reply) => connected.require('screen-saver', reply));
    const randr = await has<x11.RandR>((reply) => connected.require('randr', reply));
    if (ended) throw new Error('the X server went');
    return {
      ...{ client: connected, root, counter, randr, ask, end },
      idle:
        counter !== null
          ? () => ask<number>((reply) => counter.sync.QueryCounter(counter.id, reply))
          : saver !== null
            ? async () => (await ask<{ readonly idle: number }>((reply) => saver.QueryInfo(root, reply))).idle
            : null,
      onEvent(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    };
  } catch (error) {
    end();
    return fail('NOT_FOUND', `no X server answers at ${display}`, { display }, error);
  } finally {
    clearTimeout(late);
  }
}
