import { mkdtemp } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { type Bus, messageBus } from '../../../agent/adapters/bus.ts';
import { mutterIdle, screenSaverIdle } from '../../../agent/adapters/bus-idle.ts';
import { screenSaverLocked } from '../../../agent/adapters/bus-locked.ts';
import { logindIdle, logindLocked, otherSessionsIdle } from '../../../agent/adapters/bus-logind.ts';
import { upowerOnBattery } from '../../../agent/adapters/bus-machine.ts';
import { startBus, type TestService } from '../../support/bus.ts';
import { follow, leave, opened, type Stage, settles, stage } from '../../support/bus-stage.ts';
import { until } from '../../support/wait.ts';

afterEach(leave);

const LOGIN = 'org.freedesktop.login1';
const MANAGER = 'org.freedesktop.login1.Manager';
const SESSION = 'org.freedesktop.login1.Session';
const US = { session: '2', user: 1000 };

/** logind with the given sessions, by id. */
async function logind(
  { play }: Stage,
  sessions: Record<string, Record<string, readonly [string, unknown]>>,
): Promise<TestService> {
  const service = await play(LOGIN);
  const at = (id: string): string => `/org/freedesktop/login1/session/_${id}`;
  for (const [id, values] of Object.entries(sessions))
    service.properties[`${at(id)} ${SESSION}`] = { Class: ['s', 'user'], State: ['s', 'active'], ...values };
  service.answer = ({ member }) =>
    member === 'ListSessions'
      ? ['a(susso)', Object.keys(sessions).map((id) => [id, 1000, 'ada', 'seat0', at(id)])]
      : null;
  return service;
}
type Values = Record<string, readonly [string, unknown]>;
const desktop = (more: Values = {}): Values => ({
  ...{ Type: ['s', 'wayland'], Active: ['b', true], Remote: ['b', false], LockedHint: ['b', false] },
  ...{ IdleHint: ['b', false], IdleSinceHint: ['t', 0n], TTY: ['s', ''] },
  ...more,
});

describe('a bus that misbehaves', () => {
  const reading = (bus: Bus) => upowerOnBattery(bus);

  test('whom nobody answers for is not there; what comes later is found', async () => {
    const { bus, play } = await stage();
    const power = follow(reading(bus));
    expect(await power.first).toBe('unavailable');
    const service = await play('org.freedesktop.UPower');
    service.set('/org/freedesktop/UPower', 'org.freedesktop.UPower', { OnBattery: ['b', true] });
    await settles(power, true);
  });

  test('killed, it leaves doubt, and is found again', async () => {
    const { daemon, bus, play } = await stage();
    const service = await play('org.freedesktop.UPower');
    service.set('/org/freedesktop/UPower', 'org.freedesktop.UPower', { OnBattery: ['b', false] });
    const power = follow(reading(bus));
    expect(await power.first).toBe(false);
    await daemon.stop();
    await settles(power, 'unknown');
    const again = await startBus(daemon.address);
    opened.push(again.stop);
    await settles(power, 'unavailable');
  });

  test('stopped, it only keeps the reader waiting, and goes on where it was', async () => {
    const { daemon, bus, play } = await stage();
    const service = await play('org.freedesktop.UPower');
    service.set('/org/freedesktop/UPower', 'org.freedesktop.UPower', { OnBattery: ['b', false] });
    const source = reading(bus);
    expect(await source.read()).toBe(false);
    daemon.process.kill('SIGSTOP');
    const slow = source.read();
    expect(await Promise.race([slow, new Promise((resolve) => setTimeout(() => resolve('late'), 200))])).toBe('late');
    daemon.process.kill('SIGCONT');
    expect(await slow).toBe(false);
  });

  test.each<[string, readonly [string, unknown]]>([
    ['a word', ['s', 'yes']],
    ['a number', ['u', 7]],
  ])('%s where a yes or no belongs is doubt', async (_, value) => {
    const { bus, play } = await stage();
    const service = await play('org.freedesktop.UPower');
    service.set('/org/freedesktop/UPower', 'org.freedesktop.UPower', { OnBattery: value });
    expect(await reading(bus).read()).toBe('unknown');
  });

  test('bytes that are no message are doubt, and end nothing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bus-'));
    let lines = 0;
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (data) => {
        lines += 1;
        if (data.includes('AUTH')) socket.write('OK 1234deadbeef\r\n');
        else socket.write(Buffer.alloc(400, 0x6c));
      });
    });
    server.listen(join(folder, 'bus'));
    opened.push(() => server.close());
    const bus = messageBus(`unix:path=${join(folder, 'bus')}`, 30);
    opened.push(bus.close);
    expect(await reading(bus).read()).toBe('unknown');
    expect(lines).toBeGreaterThan(1);
  });

  test('no bus at its address, or no sensible address, is doubt', async () => {
    for (const address of ['unix:path=/nowhere/at/all', 'tcp:host=localhost', 'nonsense', '']) {
      const bus = messageBus(address, 30);
      opened.push(bus.close);
      expect(await reading(bus).read()).toBe('unknown');
    }
  });
});

describe('idle time', () => {
  test('of GNOME, and its first end', async () => {
    const { bus, play } = await stage();
    const idle = mutterIdle(bus);
    expect(await idle.idleMs()).toBe('unavailable');
    const mutter = await play('org.gnome.Mutter.IdleMonitor');
    let watches = 0;
    mutter.answer = ({ member }) =>
      member === 'GetIdletime' ? ['t', 61_000n] : member === 'AddUserActiveWatch' ? ['u', ++watches] : null;
    expect(await idle.idleMs()).toBe(61_000);
    const fire = (id: number): void =>
      mutter.signal('/org/gnome/Mutter/IdleMonitor/Core', 'org.gnome.Mutter.IdleMonitor', 'WatchFired', 'u', id);
    let returns = 0;
    idle.onReturn?.(() => (returns += 1));
    await until('the watch', () => watches === 1);
    fire(7);
    fire(1);
    await until('the return', () => returns === 1);
    const off = idle.onReturn?.(() => (returns += 1));
    await until('the second watch', () => watches === 2);
    off?.();
    await until('its removal', () => mutter.asked.includes('RemoveWatch'));
    fire(2);
    await idle.idleMs();
    expect(returns).toBe(1);
    mutter.answer = ({ member }) => (member === 'GetIdletime' ? ['s', 'long'] : null);
    expect(await idle.idleMs()).toBe('unknown');
  });

  test('of a bus that goes wakes who waited', async () => {
    const { bus, play, daemon } = await stage();
    const mutter = await play('org.gnome.Mutter.IdleMonitor');
    mutter.answer = ({ member }) => (member === 'AddUserActiveWatch' ? ['u', 1] : null);
    const returned = new Promise<void>((resolve) => void mutterIdle(bus).onReturn?.(resolve));
    await until('the watch', () => mutter.asked.includes('AddUserActiveWatch'));
    await daemon.stop();
    await returned;
    // Nor does anyone wait for what cannot come.
    await new Promise<void>((resolve) => void mutterIdle(bus).onReturn?.(resolve));
  });

  test.each([
    ['milliseconds', 1, 60_000],
    ['seconds', 0.001, 60_000],
  ])('of a screen saver that counts in %s', async (_, perMs, expected) => {
    const { bus, play } = await stage();
    const saver = await play('org.freedesktop.ScreenSaver');
    let now = 0;
    saver.answer = ({ member }) => (member === 'GetSessionIdleTime' ? ['u', Math.round(now * perMs)] : null);
    const idle = screenSaverIdle(bus, () => now);
    expect(await idle.idleMs()).toBe('unknown');
    now = 60_000;
    expect(await idle.idleMs()).toBe(expected);
  });

  test('of a screen saver that always says 0 stays in doubt', async () => {
    const { bus, play } = await stage();
    const saver = await play('org.freedesktop.ScreenSaver');
    saver.answer = () => ['u', 0];
    let now = 0;
    const idle = screenSaverIdle(bus, () => now);
    for (; now < 100_000; now += 5_000) expect(await idle.idleMs()).toBe('unknown');
  });

  test('of logind counts once the desktop has ever called itself idle', async () => {
    const all = await stage();
    const service = await logind(all, { 2: desktop() });
    const idle = logindIdle(all.bus, US, () => 1_000_000);
    expect(await idle.idleMs()).toBe('unknown');
    const path = '/org/freedesktop/login1/session/_2';
    service.set(path, SESSION, { IdleHint: ['b', true], IdleSinceHint: ['t', 400_000_000n] });
    await until('the hint', async () => (await idle.idleMs()) === 600_000);
    service.set(path, SESSION, { IdleHint: ['b', false] });
    await until('its end', async () => (await idle.idleMs()) === 0);
  });

  test('of others: none, somebody from afar, and a desktop behind ours', async () => {
    const all = await stage();
    await logind(all, { 2: desktop() });
    expect(await otherSessionsIdle(all.bus, US).idleMs()).toBe('unavailable');
    const second = await stage();
    await logind(second, {
      2: desktop(),
      5: desktop({ Remote: ['b', true], IdleHint: ['b', true], IdleSinceHint: ['t', 970_000_000n] }),
      6: desktop({ Active: ['b', false] }),
    });
    expect(await otherSessionsIdle(second.bus, US, () => 1_000_000).idleMs()).toBe(30_000);
    const third = await stage();
    await logind(third, { 2: desktop(), 7: desktop({ Remote: ['b', true] }) });
    expect(await otherSessionsIdle(third.bus, US).idleMs()).toBe(0);
  });

  test('of others starts again as somebody logs in', async () => {
    const all = await stage();
    const service = await logind(all, { 2: desktop() });
    const idle = otherSessionsIdle(all.bus, US);
    const returned = new Promise<void>((resolve) => void idle.onReturn?.(resolve));
    expect(await idle.idleMs()).toBe('unavailable');
    const at = '/org/freedesktop/login1/session/_9';
    service.properties[`${at} ${SESSION}`] = { ...desktop({ Remote: ['b', true] }), Class: ['s', 'user'] };
    service.answer = ({ member }) =>
      member === 'ListSessions' ? ['a(susso)', [['9', 1000, 'ada', 'seat0', at]]] : null;
    service.signal('/org/freedesktop/login1', MANAGER, 'SessionNew', 'so', '9', at);
    await returned;
    expect(await idle.idleMs()).toBe(0);
  });
});

describe('the lock', () => {
  test('as logind has it', async () => {
    const all = await stage();
    const service = await logind(all, { 2: desktop(), 3: desktop({ LockedHint: ['b', true] }) });
    const locked = follow(logindLocked(all.bus, US));
    expect(await locked.first).toBe(false);
    service.set('/org/freedesktop/login1/session/_2', SESSION, { LockedHint: ['b', true] });
    await settles(locked, true);
  });

  test('as the screen saver has it', async () => {
    const { bus, play } = await stage();
    const locked = follow(screenSaverLocked(bus));
    expect(await locked.first).toBe('unavailable');
    const saver = await play('org.gnome.ScreenSaver');
    let active = false;
    saver.answer = () => ['b', active];
    active = true;
    saver.signal('/org/gnome/ScreenSaver', 'org.gnome.ScreenSaver', 'ActiveChanged', 'b', true);
    await settles(locked, true);
  });
});
