import { afterEach, expect, test } from 'vitest';
import { linuxDesktop } from '../../../agent/adapters/linux-desktop.ts';
import { startBus } from '../../support/bus.ts';
import { leave, opened } from '../../support/bus-stage.ts';
import { until } from '../../support/wait.ts';
import { openXClient, startXServer } from '../../support/x-server.ts';

afterEach(leave);

test('a bare desktop: input tells, and nothing else is in doubt', async () => {
  const server = await startXServer();
  opened.push(server.stop);
  const bus = await startBus();
  opened.push(bus.stop);
  const sources = linuxDesktop({
    environment: {
      ...{ DISPLAY: server.display, DBUS_SESSION_BUS_ADDRESS: bus.address, DBUS_SYSTEM_BUS_ADDRESS: bus.address },
    },
    ...{ user: 1000, ours: [] },
  });
  const all = [...Object.values(sources).flat()];
  opened.push(() => {
    for (const source of all) source.close?.();
  });
  expect(sources.idle.map(({ name }) => name)).toEqual(['X11', 'other sessions']);
  expect(await sources.idle[0]?.idleMs()).toBeTypeOf('number');
  expect(await sources.idle[1]?.idleMs()).toBe('unavailable');
  for (const source of [...sources.locked, ...sources.fullscreen, ...sources.media, ...sources.metered])
    expect([null, 'unavailable']).toContainEqual(await source.read());
  const returned = new Promise<void>((resolve) => void sources.idle[0]?.onReturn?.(resolve));
  const person = await openXClient(server.display);
  await until('some idle time', async () => Number(await sources.idle[0]?.idleMs()) > 60);
  person.press();
  await returned;
  for (const source of all) source.close?.();
  expect(await sources.idle[0]?.idleMs()).toBe('unknown');
});

test('a machine without display and buses has its terminals only', () => {
  const sources = linuxDesktop({ environment: { XDG_RUNTIME_DIR: '/nowhere' }, user: 1000, ours: [] });
  expect(sources.idle.map(({ name }) => name)[0]).toBe('terminals');
  expect(sources.fullscreen).toEqual([]);
});
