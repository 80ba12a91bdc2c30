import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Problem } from '../../core/snapshot.ts';
import { textIn } from '../../core/text/index.ts';
import { ownerBooks } from '../../core/wire.ts';
import { type DeviceOptions, deviceIn, historyIn, snapshotIn, TestDevice } from './support/device.ts';
import { containersOf, ENGINE_SOCKET } from './support/engine.ts';
import { freePort, Gate } from './support/gate.ts';
import { PracticeNetwork } from './support/practice.ts';
import { TrayHost, type TrayItem } from './support/tray.ts';
import { until } from './support/until.ts';

const text = textIn('en');
const MINUTE = 60_000;
const base = mkdtempSync(join(tmpdir(), 'idlemesh-faults-'));
let host: TrayHost;
let network: PracticeNetwork;
const clean: (() => Promise<void>)[] = [];

beforeAll(async () => {
  host = await TrayHost.start();
  // Devices come and go here: what one took along must soon be another's.
  const words = ['--report-every', '3000', '--epoch-every', '8000', '--lease', '20000'];
  network = await PracticeNetwork.start(join(base, 'practice'), words);
});
afterEach(async () => {
  for (const step of clean.splice(0).reverse()) await step();
});
afterAll(async () => {
  await network?.stop();
  host?.stop();
  rmSync(base, { recursive: true, force: true });
});

function deviceWith(options: Partial<DeviceOptions> = {}): TestDevice {
  const device = new TestDevice(host, { coordinatorUrl: network.coordinatorUrl, ...options });
  clean.push(() => device.discard());
  return device;
}

/** The fault is said in the tray (tooltip and menu) and in the window, with what to do. */
async function saidEverywhere(problem: Problem['kind'], tray: TrayItem, page: Page): Promise<void> {
  const found = await until(
    `the problem ${problem}`,
    async () => (await snapshotIn(page)).problems.find(({ kind }) => kind === problem),
    MINUTE,
  );
  const { title } = text.problem(found);
  await until('the tooltip', async () => (await tray.tooltip()).includes(title));
  expect(await tray.labels()).toContain(title);
  await page.getByText(title).first().waitFor();
}

async function overcome(problem: Problem['kind'], tray: TrayItem, page: Page): Promise<void> {
  await until(
    `no problem ${problem}`,
    async () => (await snapshotIn(page)).problems.every(({ kind }) => kind !== problem),
    MINUTE,
  );
  await until('the tray sharing', async () => (await tray.tooltip()).includes(`\n${text.presence('sharing')}`), MINUTE);
}

describe('each fault is said with its reason, and passes by itself when its cause goes', () => {
  it('no engine at the start', async () => {
    const socket = join(base, 'engine.sock');
    const gate = Gate.ofSocket(socket, ENGINE_SOCKET);
    clean.push(() => gate.shut());
    const { app, tray } = await deviceWith({ env: { DOCKER_HOST: `unix://${socket}` } }).start();
    const page = await app.window();
    await tray.click(text.tray.shareNow);
    await saidEverywhere('engine-absent', tray, page);
    expect((await tray.tooltip()).split('\n')[1]).toBe(text.presence('attention'));
    await gate.open();
    await overcome('engine-absent', tray, page);
  });

  it('a coordinator that goes away', async () => {
    const port = await freePort();
    const gate = Gate.ofPort(port, network.coordinatorUrl);
    await gate.open();
    clean.push(() => gate.shut());
    const { app, tray } = await deviceWith({ coordinatorUrl: `http://127.0.0.1:${port}` }).start();
    const page = await app.window();
    await until('a connection', async () => (await snapshotIn(page)).coordinator.kind === 'connected', MINUTE);
    await gate.shut();
    await saidEverywhere('coordinator-away', tray, page);
    await gate.open();
    await tray.click(text.tray.shareNow);
    await overcome('coordinator-away', tray, page);
  });

  it('a chain that hangs', async () => {
    const thaw = freezeChain(network);
    clean.push(async () => thaw());
    const { app, tray } = await deviceWith().start();
    const page = await app.window();
    await saidEverywhere('chain-away', tray, page);
    const { wallet } = await snapshotIn(page);
    expect(wallet).toMatchObject({ balance: 'unknown', claimable: 'unknown' });
    thaw();
    await tray.click(text.tray.shareNow);
    await overcome('chain-away', tray, page);
    await until('a known balance', async () => (await snapshotIn(page)).wallet?.balance !== 'unknown');
  });

  it('a settings file broken by hand', async () => {
    const device = deviceWith();
    const { app, tray } = await device.start();
    const page = await app.window();
    await tray.click(text.tray.shareNow);
    await until(
      'the tray sharing',
      async () => (await tray.tooltip()).includes(`\n${text.presence('sharing')}`),
      MINUTE,
    );
    const file = join(device.dataDir, 'settings.json');
    const good = readFileSync(file, 'utf8');
    const broken = good.replace('{', '{ "idleAfterSecond": 5,');
    writeFileSync(file, broken);
    await saidEverywhere('settings-broken', tray, page);
    expect(readFileSync(file, 'utf8')).toBe(broken);
    writeFileSync(file, good);
    await overcome('settings-broken', tray, page);
  });

  it('a wallet that was sealed by a keyring which is gone', async () => {
    const device = deviceWith();
    const first = await device.start();
    await deviceIn(await first.app.window());
    await first.app.dispose();
    const file = join(device.dataDir, 'vault.json');
    const good = readFileSync(file, 'utf8');
    const sealed = good.replace('"backend": "file"', '"backend": "keyring-linux"');
    expect(sealed).not.toBe(good);
    writeFileSync(file, sealed);

    const { app, tray } = await device.start();
    const page = await app.window();
    await saidEverywhere('vault-unreadable', tray, page);
    expect(readFileSync(file, 'utf8')).toBe(sealed);
  });

  it.skipIf(process.getuid?.() !== 0)('a full disk', async () => {
    const device = deviceWith();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=500m', 'idlemesh-test', device.dataDir]);
    clean.push(async () => void execFileSync('umount', ['-l', device.dataDir]));
    clean.push(() => device.stop());
    const { app, tray } = await device.start();
    const page = await app.window();
    await deviceIn(page);
    await page.evaluate(() => globalThis.idlemesh.commands.updateSettings({ limits: { minFreeDiskMiB: 256 } }));
    await tray.click(text.tray.shareNow);
    await until(
      'the tray sharing',
      async () => (await tray.tooltip()).includes(`\n${text.presence('sharing')}`),
      MINUTE,
    );
    const ballast = join(device.dataDir, 'ballast');
    fill(ballast);
    await saidEverywhere('disk-low', tray, page);
    rmSync(ballast);
    await overcome('disk-low', tray, page);
    await until(
      'earnings after it',
      async () => (await historyIn(page)).some(({ state }) => state === 'credited'),
      2 * MINUTE,
    );
  });
});

it('killed in the middle of a job: nothing is left over, the job is paid once', async () => {
  const device = deviceWith();
  const first = await device.start();
  const deviceAddress = await deviceIn(await first.app.window());
  await first.tray.click(text.tray.shareNow);
  const [container] = await until(
    'a running container',
    async () => {
      const running = (await containersOf(deviceAddress)).filter(({ state }) => state === 'running');
      return running.length > 0 ? running : null;
    },
    MINUTE,
  );
  const ended = first.app.ended();
  first.app.signal('SIGKILL');
  await ended;
  await until('no orphan', async () => (await containersOf(deviceAddress)).every(({ state }) => state !== 'running'));

  const second = await device.start();
  const page = await second.app.window();
  await until('no remains', async () => (await containersOf(deviceAddress)).every(({ id }) => id !== container?.id));
  await until(
    'earnings after the restart',
    async () => (await historyIn(page)).some(({ state }) => state === 'credited'),
    2 * MINUTE,
  );
  await second.tray.click(text.tray.pause, text.tray.pauseResumed);
  const { wallet } = await snapshotIn(page);
  const books = await until(
    'books that agree',
    async () => {
      const answer = await fetch(new URL(`/v1/owners/${wallet?.owner}`, network.coordinatorUrl));
      const said = ownerBooks.parse(await answer.json());
      return said.credited === (await snapshotIn(page)).earnings.credited ? said : null;
    },
    MINUTE,
  );
  const entries = await historyIn(page);
  expect(new Set(entries.map(({ leaseId }) => leaseId)).size).toBe(entries.length);
  const credited = entries.filter(({ state }) => state === 'credited');
  expect(credited.reduce((total, { amount }) => total + amount, 0n)).toBe(books.credited);
  expect(credited.filter(({ leaseId }) => leaseId === container?.lease).length).toBeLessThanOrEqual(1);
});

/** Stops the chain's process without ending it, as a hung machine would; the returned function lets it go on. */
function freezeChain({ pid }: PracticeNetwork): () => void {
  const chain = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((each) => parentOf(each) === pid && commandOf(each).includes('anvil'));
  if (chain === undefined) throw new Error('the practice network has no chain process');
  process.kill(chain, 'SIGSTOP');
  return () => process.kill(chain, 'SIGCONT');
}

const readProcess = (pid: number, file: string): string => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
};
const parentOf = (pid: number): number => Number(readProcess(pid, 'stat').split(') ').at(-1)?.split(' ')[1]);
const commandOf = (pid: number): string => readProcess(pid, 'cmdline');

/** Writes until the disk takes no more. */
function fill(path: string): void {
  const block = Buffer.alloc(8 * 1024 * 1024);
  const file = openSync(path, 'w');
  try {
    for (;;) writeSync(file, block);
  } catch (error) {
    if (!String(error).includes('ENOSPC')) throw error;
  } finally {
    closeSync(file);
  }
}
