import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import dbus from 'dbus-next';

export type TestBus = { readonly address: string; readonly process: ChildProcess; readonly stop: () => Promise<void> };

/** A message bus of its own. `address`: where, for a test that starts one again. */
export async function startBus(address?: string): Promise<TestBus> {
  const child = spawn(
    'dbus-daemon',
    ['--session', '--nofork', '--print-address', ...(address === undefined ? [] : [`--address=${address}`])],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return {
    address: String(line).split(',guid=')[0] ?? '',
    process: child,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

/** Signature and values; null: no such thing here. */
export type Answer = readonly [signature: string, ...values: unknown[]] | null;
type Asked = { readonly path: string; readonly interface: string; readonly member: string; readonly body: unknown[] };

/** A service of a desktop, played: it answers what it is told to and says what it is asked to. */
export class TestService {
  readonly #bus: dbus.MessageBus;
  /** Values of properties by interface, with their signatures. */
  readonly properties: Record<string, Record<string, readonly [string, unknown]>> = {};
  answer: (asked: Asked) => Answer = () => null;
  readonly asked: string[] = [];

  private constructor(bus: dbus.MessageBus) {
    this.#bus = bus;
  }

  static async start(address: string, name: string): Promise<TestService> {
    const bus = dbus.sessionBus({ busAddress: address.replace('path=', 'socket=') });
    bus.on('error', () => undefined);
    const service = new TestService(bus);
    bus.addMethodHandler((message: dbus.Message) => service.#handle(message));
    await bus.requestName(name, 0);
    return service;
  }

  #handle(message: dbus.Message): boolean {
    this.asked.push(message.member);
    const reply = (signature: string, values: readonly unknown[]): boolean => {
      this.#bus.send(dbus.Message.newMethodReturn(message, signature, [...values]));
      return true;
    };
    const own = this.answer(message);
    if (own !== null) return reply(own[0], own.slice(1));
    if (message.member === 'GetAll') {
      const values = Object.entries(this.properties[`${message.path} ${message.body[0]}`] ?? {});
      return reply('a{sv}', [
        Object.fromEntries(values.map(([name, [type, value]]) => [name, new dbus.Variant(type, value)])),
      ]);
    }
    return false;
  }

  /** Sets properties of an interface of an object and tells of it. */
  set(path: string, of: string, values: Record<string, readonly [string, unknown]>): void {
    this.properties[`${path} ${of}`] = { ...this.properties[`${path} ${of}`], ...values };
    const changed = Object.fromEntries(
      Object.entries(values).map(([name, [type, value]]) => [name, new dbus.Variant(type, value)]),
    );
    this.signal(path, 'org.freedesktop.DBus.Properties', 'PropertiesChanged', 'sa{sv}as', of, changed, []);
  }

  signal(path: string, of: string, member: string, signature: string, ...values: unknown[]): void {
    this.#bus.send(dbus.Message.newSignal(path, of, member, signature, values));
  }

  stop(): void {
    this.#bus.disconnect();
  }
}
