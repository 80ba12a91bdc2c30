import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';

/** What the tests use of the package `x11` beyond what the agent does. */
export type XClient = {
  atoms: Record<string, number>;
  require(name: 'xtest', reply: (error: Error | undefined, xtest: XTest) => void): void;
  readonly terminate: () => void;
  readonly on: (event: string, listener: () => void) => void;
  readonly AllocID: () => number;
  readonly InternAtom: (only: boolean, name: string, reply: (error: unknown, atom: number) => void) => void;
  readonly CreateWindow: (
    ...values: [number, number, number, number, number, number, number, number, number, number, object]
  ) => void;
  readonly ChangeProperty: (
    mode: number,
    window: number,
    property: number,
    type: number,
    units: number,
    data: Buffer,
  ) => void;
  readonly DeleteProperty: (window: number, property: number) => void;
  readonly MapWindow: (window: number) => void;
  readonly DestroyWindow: (window: number) => void;
  readonly sync: () => Promise<void>;
};
type XTest = {
  readonly MotionNotify: number;
  readonly KeyPress: number;
  readonly KeyRelease: number;
  readonly FakeInput: (type: number, code: number, time: number, window: number, x: number, y: number) => void;
};
type Package = {
  readonly createClient: (
    options: object,
    ready: (error: Error | undefined, display: { client: XClient; screen: readonly { root: number }[] }) => void,
  ) => XClient;
};
const x11 = createRequire(import.meta.url)('x11') as Package;

export type TestXServer = {
  readonly display: string;
  readonly process: ChildProcess;
  readonly stop: () => Promise<void>;
};

/** A virtual screen, 1280×720. `display`: which number, where a test starts one again; `options`: more of Xvfb's. */
export async function startXServer(display?: string, options: readonly string[] = []): Promise<TestXServer> {
  const child = spawn(
    'Xvfb',
    [
      ...(display === undefined ? [] : [display]),
      ...['-displayfd', '3', '-screen', '0', '1280x720x24', '-nolisten', 'tcp', '-noreset', ...options],
    ],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] },
  );
  const pipe = child.stdio[3];
  if (pipe === null || pipe === undefined) throw new Error('Xvfb has no pipe to say its number on');
  const [number] = await Promise.race([
    once(pipe, 'data'),
    once(child, 'exit').then(() => {
      throw new Error('Xvfb did not start');
    }),
  ]);
  return {
    display: `:${String(number).trim()}`,
    process: child,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

/** Somebody at the machine: another program's connection to the same server. */
export async function openXClient(display: string): Promise<{
  readonly client: XClient;
  readonly root: number;
  readonly move: () => void;
  readonly press: () => void;
  readonly atom: (name: string) => Promise<number>;
}> {
  const { client, root } = await new Promise<{ client: XClient; root: number }>((resolve, reject) => {
    x11
      .createClient({ display }, (error, made) => {
        if (error) reject(error);
        else resolve({ client: made.client, root: made.screen[0]?.root ?? 0 });
      })
      .on('error', () => undefined);
  });
  // Not the package's table, which is of all servers together.
  client.atoms = {};
  const xtest = await new Promise<XTest>((resolve, reject) => {
    client.require('xtest', (error, extension) => (error ? reject(error) : resolve(extension)));
  });
  let x = 100;
  return {
    ...{ client, root },
    move() {
      x = x === 100 ? 140 : 100;
      xtest.FakeInput(xtest.MotionNotify, 0, 0, root, x, 100);
    },
    press() {
      xtest.FakeInput(xtest.KeyPress, 38, 0, root, 0, 0);
      xtest.FakeInput(xtest.KeyRelease, 38, 0, root, 0, 0);
    },
    atom: (name) =>
      new Promise((resolve, reject) => {
        client.InternAtom(false, name, (error, atom) => (error ? reject(error) : resolve(atom)));
      }),
  };
}
