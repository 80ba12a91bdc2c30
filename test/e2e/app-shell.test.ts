import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { App } from './support/app.ts';
import { buildStubApp } from './support/stub-app.ts';
import { TrayHost } from './support/tray.ts';
import { until } from './support/until.ts';

const base = mkdtempSync(join(tmpdir(), 'idlemesh-shell-'));
let host: TrayHost;
let folder: string;
let runs = 0;
const open: App[] = [];

beforeAll(async () => {
  host = await TrayHost.start();
  folder = await buildStubApp(join(base, 'app'));
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.dispose()));
});
afterAll(() => {
  host.stop();
  rmSync(base, { recursive: true, force: true });
});

async function launch(words: readonly string[] = [], dataDir = join(base, `data-${runs++}`)) {
  const before = host.count;
  const app = await App.launch({
    app: folder,
    dataDir,
    words,
    env: { XDG_CONFIG_HOME: join(dataDir, 'config') },
  });
  open.push(app);
  return { app, tray: await host.item(before), dataDir };
}

it('shows a state of its own for each presence, and obeys from the tray', async () => {
  const { tray } = await launch(['--hidden']);
  await until('the agent in the tray', async () => (await tray.labels()).includes('Share now'));
  const waiting = await tray.icon();
  expect(waiting.width).toBeGreaterThanOrEqual(16);
  expect(await tray.tooltip()).toMatch(/^Idlemesh\nWaiting\nYou are here\..*\n0\.00 IDLE earned today$/s);

  await tray.click('Share now');
  await until('sharing', async () => (await tray.tooltip()).startsWith('Idlemesh\nSharing'));
  const sharing = await tray.icon();
  const radios = (await tray.menu()).filter((node) => node.label.startsWith('Share '));
  expect(radios.map((node) => node.checked)).toEqual([false, true]);

  await tray.click('Pause', 'For 1 hour');
  await until('paused', async () => (await tray.labels()).includes('Resume (1 h)'));
  const paused = await tray.icon();
  expect(new Set([waiting.pixels, sharing.pixels, paused.pixels]).size).toBe(3);

  await tray.click('Resume');
  await until('sharing again', async () => (await tray.tooltip()).startsWith('Idlemesh\nSharing'));
});

it('opens the window on request and leaves no renderer behind when it is closed', async () => {
  const { app, tray } = await launch(['--hidden']);
  expect(await app.windows()).toEqual([]);
  expect(await app.processes()).not.toContain('Tab');

  await tray.click('Open Idlemesh');
  await app.window();
  await until('a visible window', async () => (await app.windows())[0]?.visible);
  expect(await app.processes()).toContain('Tab');

  await app.closeWindow();
  await app.withoutRenderer();
  expect(await app.windows()).toEqual([]);

  await tray.activate();
  await until('the window again', async () => (await app.windows())[0]?.visible);
});

it('tells a hidden window nothing, and the newest the moment it is seen again', async () => {
  const { app, tray } = await launch();
  const page = await app.window();
  await until('a visible window', async () => (await app.windows())[0]?.visible);
  await page.evaluate(() => {
    const seen: string[] = [];
    Reflect.set(globalThis, 'seen', seen);
    globalThis.idlemesh.onSnapshot((snapshot) => seen.push(snapshot.presence));
  });
  const seen = () => page.evaluate((): readonly string[] => Reflect.get(globalThis, 'seen'));
  await tray.click('Share now');
  await until('a push', async () => (await seen()).at(-1) === 'sharing');

  await app.hideWindow();
  await tray.click('Pause', 'Until I resume');
  await until('paused', async () => (await tray.labels()).includes('Resume'));
  expect(await seen()).not.toContain('paused');

  await tray.activate();
  await until('the newest', async () => (await seen()).at(-1) === 'paused');
});

it('remembers where the window was', async () => {
  const first = await launch();
  await until('a visible window', async () => (await first.app.windows())[0]?.visible);
  const bounds = { x: 40, y: 30, width: 700, height: 560 };
  await first.app.resize(bounds);
  await until('the new size', async () => (await first.app.windows())[0]?.bounds.width === bounds.width);
  const ended = first.app.ended();
  await first.tray.click('Quit');
  expect(await ended).toBe(0);

  const second = await launch([], first.dataDir);
  await until('a visible window', async () => (await second.app.windows())[0]?.visible);
  expect((await second.app.windows())[0]?.bounds).toEqual(bounds);
});

it('runs once: a second start brings the window of the first', async () => {
  const { app, dataDir } = await launch(['--hidden']);
  await expect(App.launch({ app: folder, dataDir })).rejects.toThrow();
  await until('the window of the first', async () => (await app.windows())[0]?.visible);
});

it('locks the page in: no network, no other page, no window, no permission, only the contract', async () => {
  const { app } = await launch();
  const page = await app.window();
  await until('a visible window', async () => (await app.windows())[0]?.visible);
  const reached = await page.evaluate(async () => {
    const attempt = (run: () => Promise<unknown>) => run().then(String, () => 'refused');
    return {
      fetch: await attempt(() => fetch('https://example.org/')),
      file: await attempt(() => fetch('file:///etc/hostname')),
      outside: await attempt(() => fetch('idlemesh://app/..%2f..%2fpackage.json')),
      opened: String(window.open('https://example.org/')),
      notification: await Notification.requestPermission(),
      camera: await attempt(() => navigator.mediaDevices.getUserMedia({ video: true })),
      node: ['require', 'process', 'module', 'Buffer'].filter((name) => name in globalThis),
      surface: Object.keys(globalThis.idlemesh),
      bad: JSON.stringify(await Reflect.apply(globalThis.idlemesh.commands.shareMode, null, ['always'])),
      today: typeof (await globalThis.idlemesh.snapshot()).earnings.today,
    };
  });
  expect(reached).toMatchObject({
    fetch: 'refused',
    file: 'refused',
    outside: 'refused',
    opened: 'null',
    notification: 'denied',
    camera: 'refused',
    node: [],
    surface: ['commands', 'snapshot', 'onSnapshot'],
    today: 'bigint',
  });
  expect(JSON.parse(reached.bad)).toMatchObject({ ok: false, failure: { code: 'BAD_INPUT' } });

  await page.evaluate(() => {
    location.href = 'https://example.org/';
  });
  await page.evaluate(() => document.body.append(document.createElement('webview')));
  expect(page.url()).toBe('idlemesh://app/index.html');
});

it('writes the start at login when the owner asks for it, and takes it away again', async () => {
  const { app, dataDir } = await launch();
  const page = await app.window();
  const entry = join(dataDir, 'config', 'autostart', 'idlemesh.desktop');
  const choose = (startAtLogin: boolean) =>
    page.evaluate((wanted) => globalThis.idlemesh.commands.updateSettings({ startAtLogin: wanted }), startAtLogin);
  await choose(true);
  await until('the autostart entry', () => existsSync(entry));
  expect(readFileSync(entry, 'utf8')).toMatch(/^Exec=".*electron" ".*" .*"--hidden"$/m);
  await choose(false);
  await until('no autostart entry', () => !existsSync(entry));
});

it('leaves in order when the system ends it', async () => {
  const { app } = await launch(['--hidden']);
  const ended = app.ended();
  app.signal('SIGTERM');
  expect(await ended).toBe(0);
});
