import { execFileSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { openX11, type X11 } from '../../../agent/adapters/x11.ts';
import { until } from '../../support/wait.ts';
import { openXClient, startXServer, type TestXServer } from '../../support/x-server.ts';

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function stage(options: readonly string[] = []): Promise<{ server: TestXServer; x: X11 }> {
  const server = await startXServer(undefined, options);
  opened.push(server.stop);
  const x = openX11({ display: server.display, ours: [], firstPauseMs: 50 });
  opened.push(x.close);
  return { server, x };
}
const idleFor = async (x: X11, ms: number): Promise<void> => {
  await until(`${ms} ms without input`, async () => Number(await x.idle.idleMs()) >= ms);
};
/** Milliseconds to the callback; Infinity: it did not come within `within`. */
function timed(x: X11, within: number): { readonly began: () => void; readonly took: Promise<number> } {
  let start = Number.NaN;
  const took = new Promise<number>((resolve) => {
    const late = setTimeout(() => resolve(Number.POSITIVE_INFINITY), within);
    x.idle.onReturn?.(() => {
      clearTimeout(late);
      resolve(performance.now() - start);
    });
  });
  return { began: () => (start = performance.now()), took };
}

describe('the idle time of an X server', () => {
  test('grows while nobody touches anything, and starts again with a key, a motion, or xdotool', async () => {
    const { server, x } = await stage();
    const person = await openXClient(server.display);
    for (const touch of [
      person.press,
      person.move,
      () => execFileSync('xdotool', ['mousemove', '7', '9'], { env: { ...process.env, DISPLAY: server.display } }),
    ]) {
      await idleFor(x, 150);
      touch();
      await until('the time to start again', async () => Number(await x.idle.idleMs()) < 100);
    }
  });

  test('wakes us within milliseconds of input, once', async () => {
    const { server, x } = await stage();
    const person = await openXClient(server.display);
    await idleFor(x, 60);
    const times: number[] = [];
    for (let i = 0; i < 200; i += 1) {
      const { began, took } = timed(x, 2_000);
      await idleFor(x, 45);
      began();
      (i % 2 === 0 ? person.move : person.press)();
      times.push(await took);
    }
    times.sort((a, b) => a - b);
    const [p50, p99] = [times[100] ?? Number.NaN, times[198] ?? Number.NaN];
    console.info(`from input to callback over 200: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`);
    expect(p50).toBeLessThan(10);
    expect(p99).toBeLessThan(50);
  });

  test('input just after the call counts, input before it does not', async () => {
    const { server, x } = await stage();
    const person = await openXClient(server.display);
    await idleFor(x, 60);
    person.press();
    await person.client.sync();
    let fired = 0;
    const off = x.idle.onReturn?.(() => (fired += 1));
    await pause(300);
    expect(fired).toBe(0);
    off?.();
    person.press();
    await person.client.sync();
    await pause(8);
    const { began, took } = timed(x, 2_000);
    await pause(5);
    began();
    person.move();
    expect(await took).toBeLessThan(500);
  });

  test('a server that is killed leaves doubt, wakes who waited, and is found again', async () => {
    const { server, x } = await stage();
    await idleFor(x, 60);
    const { took } = timed(x, 5_000);
    await server.stop();
    await took;
    expect(await x.idle.idleMs()).toBe('unknown');
    const again = await startXServer(server.display);
    opened.push(again.stop);
    await until('an answer', async () => typeof (await x.idle.idleMs()) === 'number');
    const person = await openXClient(again.display);
    await idleFor(x, 60);
    const { began, took: second } = timed(x, 2_000);
    await idleFor(x, 200);
    began();
    person.press();
    expect(await second).toBeLessThan(500);
  });

  test('without the counter the screen saver extension tells, and input still wakes us', async () => {
    const { server, x } = await stage(['-extension', 'SYNC']);
    const person = await openXClient(server.display);
    await idleFor(x, 100);
    const { began, took } = timed(x, 2_000);
    await idleFor(x, 200);
    began();
    person.press();
    expect(await took).toBeLessThan(500);
  });

  test('a display nobody serves is doubt; closing releases all', async () => {
    const x = openX11({ display: ':7654', ours: [], firstPauseMs: 20 });
    expect(await x.idle.idleMs()).toBe('unknown');
    x.close();
    expect(await x.idle.idleMs()).toBe('unknown');
    const odd = openX11({ display: 'nonsense', ours: [], firstPauseMs: 20 });
    expect(await odd.idle.idleMs()).toBe('unknown');
    odd.close();
  });
});
