import { afterEach, expect, test } from 'vitest';
import { openX11 } from '../../../agent/adapters/x11.ts';
import { until } from '../../support/wait.ts';
import { openXClient, startXServer } from '../../support/x-server.ts';

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

/** A screen with what a window manager would say on it, and the source under test with all it told of. */
async function stage() {
  const server = await startXServer();
  opened.push(server.stop);
  const x = openX11({ display: server.display, ours: [4242], firstPauseMs: 50 });
  opened.push(x.close);
  const { client, root, atom } = await openXClient(server.display);
  const set = async (window: number, name: string, type: string, values: readonly number[]): Promise<void> => {
    const data = Buffer.alloc(values.length * 4);
    for (const [i, value] of values.entries()) data.writeUInt32LE(value, i * 4);
    client.ChangeProperty(0, window, await atom(name), await atom(type), 32, data);
    await client.sync();
  };
  const window = async (
    kind: string,
    [width, height]: readonly [number, number] = [640, 480],
    unmanaged = false,
  ): Promise<number> => {
    const id = client.AllocID();
    client.CreateWindow(id, root, 0, 0, width, height, 0, 0, 0, 0, { overrideRedirect: unmanaged });
    client.ChangeProperty(0, id, await atom('WM_CLASS'), await atom('STRING'), 8, Buffer.from(`${kind}\0${kind}\0`));
    client.MapWindow(id);
    await client.sync();
    return id;
  };
  const seen: unknown[] = [];
  let news = 0;
  x.fullscreen.onChange?.(() => {
    news += 1;
    void x.fullscreen.read().then((value) => seen.push(value));
  });
  return {
    ...{ server, x, client, root, set, window, seen },
    news: () => news,
    manage: () => set(root, '_NET_SUPPORTING_WM_CHECK', 'WINDOW', [root]),
    activate: (id: number) => set(root, '_NET_ACTIVE_WINDOW', 'WINDOW', [id]),
    fill: async (id: number, yes = true) =>
      set(id, '_NET_WM_STATE', 'ATOM', yes ? [await atom('_NET_WM_STATE_FULLSCREEN')] : []),
    atom,
  };
}

test('an active window that fills the screen is told of as it does, and as it stops', async () => {
  const { x, manage, window, activate, fill, seen } = await stage();
  await manage();
  expect(await x.fullscreen.read()).toBeNull();
  const game = await window('Doom');
  await activate(game);
  await until('the activation', () => seen.length > 0);
  expect(await x.fullscreen.read()).toBeNull();
  await fill(game);
  await until('the game', () => seen.some((value) => JSON.stringify(value) === '{"name":"Doom"}'));
  await fill(game, false);
  await until('its end', () => seen.at(-1) === null);
});

test('an old game outside the window manager, as large as the screen, counts; a smaller one does not', async () => {
  const { x, client, manage, window, seen } = await stage();
  await manage();
  await x.fullscreen.read();
  await window('Menu', [300, 200], true);
  expect(await x.fullscreen.read()).toBeNull();
  const old = await window('Quake', [1280, 720], true);
  await until('the game', () => JSON.stringify(seen.at(-1)) === '{"name":"Quake"}');
  client.DestroyWindow(old);
  await until('its end', () => seen.at(-1) === null);
});

test('desktops, screen savers, our own window and a screen without a window manager do not count', async () => {
  const { x, root, set, manage, window, activate, fill, atom, client } = await stage();
  const game = await window('Doom', [1280, 720]);
  await activate(game);
  await fill(game);
  expect(await x.fullscreen.read()).toBeNull();
  await manage();
  expect(await x.fullscreen.read()).toEqual({ name: 'Doom' });
  await set(game, '_NET_WM_PID', 'CARDINAL', [4242]);
  expect(await x.fullscreen.read()).toBeNull();
  await set(game, '_NET_WM_PID', 'CARDINAL', [4243]);
  await set(game, '_NET_WM_WINDOW_TYPE', 'ATOM', [await atom('_NET_WM_WINDOW_TYPE_DESKTOP')]);
  expect(await x.fullscreen.read()).toBeNull();
  const saver = await window('XScreenSaver', [1280, 720], true);
  expect(await x.fullscreen.read()).toBeNull();
  client.DestroyWindow(saver);
  client.DeleteProperty(root, await atom('_NET_ACTIVE_WINDOW'));
  await client.sync();
  expect(await x.fullscreen.read()).toBeNull();
});

test('the title names what has no name of its own; a window that is gone is nothing', async () => {
  const { x, manage, window, activate, fill, atom, client } = await stage();
  await manage();
  const game = await window('steam_app_440');
  await activate(game);
  await fill(game);
  expect(await x.fullscreen.read()).toEqual({ name: 'steam_app_440' });
  client.ChangeProperty(0, game, await atom('_NET_WM_NAME'), await atom('UTF8_STRING'), 8, Buffer.from('Tänk 2'));
  await client.sync();
  expect(await x.fullscreen.read()).toEqual({ name: 'Tänk 2' });
  await activate(0x7ffffff);
  expect(['unknown', null]).toContainEqual(await x.fullscreen.read());
});

test('a still screen costs nothing, and a server that goes is doubt', async () => {
  const { server, x, manage, window, activate, fill, news, seen } = await stage();
  await manage();
  const game = await window('Doom');
  await activate(game);
  await fill(game);
  await x.fullscreen.read();
  await until('quiet', async () => {
    const before = news();
    await new Promise((resolve) => setTimeout(resolve, 300));
    return before === news();
  });
  await server.stop();
  await until('the doubt', () => seen.at(-1) === 'unknown');
});
