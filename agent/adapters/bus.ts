import dbus from 'dbus-next';
import { fail } from '../../core/errors.ts';
import type { Sensed } from '../../core/signals.ts';
import type { Attention, Source } from '../ports.ts';
import { type Kept, keepOpen } from './back-off.ts';
import { guardStream } from './guard-stream.ts';

/** Who is asked for what. `arguments`: their D-Bus signature and values. */
export type BusCall = {
  readonly to: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly arguments?: readonly [signature: string, ...values: readonly unknown[]];
};
/** A signal that says something changed. `first`: the value of its first argument, where only that matters. */
export type BusSignal = {
  readonly path?: string;
  readonly interface: string;
  readonly member: string;
  readonly first?: string;
};

/** One conversation with one message bus. Whatever is asked after it went rejects. */
export type BusSession = {
  /** The answer's values. Rejects with what `isAbsent` knows where nobody offers it; never starts a service. */
  readonly call: (call: BusCall) => Promise<readonly unknown[]>;
  /** The values of all properties of an interface, without their variants. */
  readonly properties: (to: string, path: string, of: string) => Promise<Readonly<Record<string, unknown>>>;
  /** All names on the bus that begin so. */
  readonly names: (prefix: string) => Promise<readonly string[]>;
  readonly pidOf: (name: string) => Promise<number>;
  /** Resolves when no signal can be missed any more. */
  readonly listen: (signal: BusSignal, listener: (values: readonly unknown[]) => void) => Promise<void>;
  readonly end: () => void;
};
export type Bus = Kept<BusSession>;

const CONNECT_MS = 5_000;
const DAEMON = { to: 'org.freedesktop.DBus', path: '/org/freedesktop/DBus', interface: 'org.freedesktop.DBus' };
export const PROPERTIES = 'org.freedesktop.DBus.Properties';

/** Keeps a connection to the bus at `address`, as in DBUS_SESSION_BUS_ADDRESS. */
export const messageBus = (address: string, firstPauseMs?: number): Bus =>
  keepOpen({
    open: (lost) => open(address, lost),
    shut: (session) => session.end(),
    ...(firstPauseMs === undefined ? {} : { firstMs: firstPauseMs }),
  });

const ABSENT =
  /\.(ServiceUnknown|NameHasNoOwner|UnknownMethod|UnknownInterface|UnknownObject|UnknownProperty|NotSupported|NotImplemented|NoSuchSession|NoSessionForPID)$/;
/** Whether an error says that nobody offers what was asked for, which is no doubt. */
export const isAbsent = (error: unknown): boolean => error instanceof dbus.DBusError && ABSENT.test(error.type);

/** A value without the variants around and inside it. */
function plain(value: unknown): unknown {
  if (value instanceof dbus.Variant) return plain(value.value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
  return value;
}

/** The package prefers an add-on of native code for `path`; `socket` is the same without it. */
const withoutAddOn = (address: string): string =>
  address
    .split(';')
    .filter((one) => one.startsWith('unix:'))
    .map((one) =>
      one.replace(/([:,])path=/, '$1socket=').replace(/([:,])abstract=/, (_, before: string) => `${before}socket=\0`),
    )
    .join(';');

type Stream = Parameters<typeof guardStream>[0] & {
  readonly destroy: () => void;
  readonly unref: () => void;
  readonly on: (event: 'close', listener: () => void) => void;
};
/** The package tells nobody when a bus goes; its stream does. */
type Opened = dbus.MessageBus & { readonly _connection: { readonly stream: Stream } };

async function open(address: string, lost: () => void): Promise<BusSession> {
  const pending = new Set<(error: Error) => void>();
  const heard = new Set<(message: dbus.Message) => void>();
  const bus = dbus.sessionBus({ busAddress: withoutAddOn(address) }) as Opened;
  const { stream } = bus._connection;
  let ended = false;
  const end = (): void => {
    if (ended) return;
    ended = true;
    stream.destroy();
    for (const reject of pending) reject(new Error('the message bus went'));
    pending.clear();
    heard.clear();
    lost();
  };
  guardStream(stream, end);
  stream.on('close', end);
  const late = setTimeout(end, CONNECT_MS);
  const waiting = <T>(start: (resolve: (value: T) => void, reject: (error: unknown) => void) => void): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (ended) return reject(new Error('the message bus went'));
      const refuse = (error: unknown): void => {
        pending.delete(refuse);
        reject(error);
      };
      pending.add(refuse);
      start((value) => {
        pending.delete(refuse);
        resolve(value);
      }, refuse);
    });
  try {
    await waiting<void>((resolve, reject) => {
      bus.on('connect', resolve);
      bus.on('error', (error) => {
        reject(error);
        end();
      });
    });
  } catch (error) {
    end();
    return fail('NOT_FOUND', 'the message bus does not answer', {}, error);
  } finally {
    clearTimeout(late);
  }
  // Listening alone keeps no program alive.
  stream.unref();
  bus.on('message', (message) => {
    if (message.type === dbus.MessageType.SIGNAL) for (const listener of [...heard]) listener(message);
  });

  const call = (asked: BusCall): Promise<readonly unknown[]> => {
    const [signature = '', ...body] = asked.arguments ?? [];
    const message = new dbus.Message({
      destination: asked.to,
      ...{ path: asked.path, interface: asked.interface, member: asked.member, signature, body },
      flags: dbus.MessageFlag.NO_AUTO_START,
    });
    return waiting((resolve, reject) => {
      bus.call(message).then((reply) => resolve((reply?.body ?? []).map(plain)), reject);
    });
  };
  return {
    ...{ call, end },
    async properties(to, path, of) {
      const [all] = await call({ to, path, interface: PROPERTIES, member: 'GetAll', arguments: ['s', of] });
      if (typeof all !== 'object' || all === null) throw new Error(`${to} has answered nonsense`);
      return all as Readonly<Record<string, unknown>>;
    },
    async names(prefix) {
      const [names] = await call({ ...DAEMON, member: 'ListNames' });
      return Array.isArray(names) ? names.map(String).filter((name) => name.startsWith(prefix)) : [];
    },
    async pidOf(name) {
      const [pid] = await call({ ...DAEMON, member: 'GetConnectionUnixProcessID', arguments: ['s', name] });
      return Number(pid);
    },
    async listen(signal, listener) {
      heard.add((message) => {
        if (message.member !== signal.member || message.interface !== signal.interface) return;
        if (signal.path !== undefined && message.path !== signal.path) return;
        const values = (message.body ?? []).map(plain);
        if (signal.first === undefined || String(values[0]).startsWith(signal.first)) listener(values);
      });
      const rule = [
        `type='signal',interface='${signal.interface}',member='${signal.member}'`,
        ...(signal.path === undefined ? [] : [`path='${signal.path}'`]),
        ...(signal.first === undefined ? [] : [`arg0namespace='${signal.first}'`]),
      ].join(',');
      await call({ ...DAEMON, member: 'AddMatch', arguments: ['s', rule] });
    },
  };
}

const NEVER: Readonly<Record<Attention, null>> = { rest: null, ready: null, watch: null };

/** A sensor behind a bus that tells of its changes. Nothing is connected before the first read. */
export function busSource<T>(
  bus: Bus,
  options: {
    readonly name: string;
    readonly signals: readonly BusSignal[];
    readonly read: (session: BusSession) => Promise<Sensed<T>>;
    readonly every?: Source<T>['every'];
  },
): Source<T> {
  const listeners = new Set<() => void>();
  const tell = (): void => {
    for (const listener of [...listeners]) listener();
  };
  let off: (() => void) | null = null;
  let listening: { readonly to: BusSession; readonly done: Promise<unknown> } | null = null;
  return {
    name: options.name,
    every: options.every ?? NEVER,
    timeoutMs: 2_000,
    async read() {
      // Also after the bus went and came: what it said before may not hold any more.
      off ??= bus.watch(tell);
      const session = await bus.get();
      if (session === null) return 'unknown';
      if (listening?.to !== session) {
        const done = Promise.all(options.signals.map((signal) => session.listen(signal, tell)));
        listening = { to: session, done };
      }
      try {
        await listening.done;
        return await options.read(session);
      } catch (error) {
        return isAbsent(error) ? 'unavailable' : 'unknown';
      }
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      off?.();
      listeners.clear();
    },
  };
}
