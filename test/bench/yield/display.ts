import { createRequire } from 'node:module';
import { monotonic } from './stamps.ts';

/** The part of package x11 that is used here. */
type XTest = {
  readonly KeyPress: number;
  readonly KeyRelease: number;
  readonly MotionNotify: number;
  readonly FakeInput: (type: number, detail: number, time: number, window: number, x: number, y: number) => void;
};
type ScreenSaver = {
  readonly QueryInfo: (window: number, done: (error: unknown, info: { readonly idle: number }) => void) => void;
};
type Client = {
  readonly require: (
    name: 'xtest' | 'screen-saver',
    done: (error: unknown, extension: XTest & ScreenSaver) => void,
  ) => void;
  readonly terminate: () => void;
};
type X11 = {
  readonly createClient: (
    done: (
      error: unknown,
      display: { readonly client: Client; readonly screen: readonly { readonly root: number }[] },
    ) => void,
  ) => unknown;
};

/** Shift, as X servers number it everywhere: it types nothing. */
const KEY = 50;
/** FakeInput's detail of a motion whose coordinates are relative. */
const RELATIVE = 1;

/** One connection to the display: events as if somebody touched the machine, and how long nobody has. */
export type Display = {
  /** Makes a key press and release, or a motion; answers the moment before the request was written. */
  readonly touch: (how: 'key' | 'motion') => number;
  readonly idleMs: () => Promise<number>;
  readonly close: () => void;
};

export async function openDisplay(): Promise<Display> {
  const x11 = createRequire(import.meta.url)('x11') as X11;
  const opened = await new Promise<{ client: Client; root: number }>((resolve, reject) => {
    x11.createClient((error, display) => {
      if (error) reject(new Error('the display cannot be opened', { cause: error }));
      else resolve({ client: display.client, root: display.screen[0]?.root ?? 0 });
    });
  });
  const { client, root } = opened;
  const extension = (name: 'xtest' | 'screen-saver'): Promise<XTest & ScreenSaver> =>
    new Promise((resolve, reject) => {
      client.require(name, (error, found) => (error ? reject(new Error(`no ${name}`)) : resolve(found)));
    });
  const test = await extension('xtest');
  const saver = await extension('screen-saver');
  let side = 1;
  return {
    touch(how) {
      const at = monotonic();
      if (how === 'key') {
        test.FakeInput(test.KeyPress, KEY, 0, 0, 0, 0);
        test.FakeInput(test.KeyRelease, KEY, 0, 0, 0, 0);
      } else {
        side = -side;
        test.FakeInput(test.MotionNotify, RELATIVE, 0, 0, 5 * side, 3 * side);
      }
      return at;
    },
    idleMs: () =>
      new Promise((resolve, reject) => {
        saver.QueryInfo(root, (error, info) => (error ? reject(new Error('no idle time')) : resolve(info.idle)));
      }),
    close: () => client.terminate(),
  };
}
