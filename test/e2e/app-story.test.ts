import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Contract, JsonRpcProvider } from 'ethers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { textIn } from '../../core/text/index.ts';
import { networkInfo } from '../../core/wire.ts';
import { deviceIn, snapshotIn, TestDevice } from './support/device.ts';
import { containersOf } from './support/engine.ts';
import { idlemesh, output, PracticeNetwork } from './support/practice.ts';
import { photograph } from './support/screens.ts';
import { TrayHost } from './support/tray.ts';
import { until } from './support/until.ts';

const text = textIn('en');
const MINUTE = 60_000;
const base = mkdtempSync(join(tmpdir(), 'idlemesh-story-'));
let host: TrayHost;
let network: PracticeNetwork;
let device: TestDevice;

beforeAll(async () => {
  host = await TrayHost.start();
  network = await PracticeNetwork.start(join(base, 'practice'), ['--report-every', '3000', '--epoch-every', '8000']);
  device = new TestDevice(host, { coordinatorUrl: network.coordinatorUrl });
});
afterAll(async () => {
  await device?.discard();
  await network?.stop();
  host?.stop();
  rmSync(base, { recursive: true, force: true });
});

it(
  'earns, shows it, settles it and pays it out, from the tray to the chain',
  async () => {
    const { app, tray } = await device.start();
    const page = await app.window();
    const deviceAddress = await deviceIn(page);
    expect((await tray.tooltip()).split('\n')[1]).not.toBe(text.presence('sharing'));

    // A clip of our own, in line with what the practice network orders.
    const clip = join(base, 'clip.mp4');
    const small = join(base, 'small.mp4');
    execFileSync('ffmpeg', [
      ...['-loglevel', 'error', '-f', 'lavfi', '-i', 'testsrc=duration=2:size=320x240:rate=25'],
      ...['-c:v', 'mpeg4', '-y', clip],
    ]);

    await tray.click(text.tray.shareNow);
    await until('the tray sharing', async () => (await tray.tooltip()).includes(text.presence('sharing')));
    await until('a container of this device', async () => (await containersOf(deviceAddress)).length > 0, MINUTE);
    // The network's own consumer pays: by now its deposit is booked.
    const key = join(base, 'practice', 'consumer.key');
    const ordered = output(
      idlemesh(['submit', 'transcode', clip, '-o', small, '--coordinator', network.coordinatorUrl, '--key', key]),
    );

    const today = page.getByTestId('today');
    const amounts = new Set<string>();
    await until(
      'earnings that rise in the window',
      async () => {
        amounts.add((await today.textContent()) ?? '');
        return amounts.size > 1 && (await snapshotIn(page)).earnings.today > 0n;
      },
      2 * MINUTE,
    );
    await until('earnings in the tray', async () => !(await tray.tooltip()).includes('\n0.00 '));

    const { code, said } = await ordered;
    expect(code, said).toBe(0);
    const probed = execFileSync('ffprobe', [
      ...['-v', 'error', '-select_streams', 'v:0', '-show_entries', 'stream=codec_name,width:format=duration'],
      ...['-of', 'json', small],
    ]).toString();
    expect(statSync(small).size).toBeGreaterThan(1000);
    expect(JSON.parse(probed)).toMatchObject({ streams: [{ codec_name: expect.any(String) }] });
    expect(Number(JSON.parse(probed).format.duration)).toBeCloseTo(2, 0);

    await until(
      'something to withdraw',
      async () => {
        const { wallet } = await snapshotIn(page);
        return wallet !== null && wallet.claimable !== 'unknown' && wallet.claimable > 0n;
      },
      2 * MINUTE,
    );
    const words = text.window.wallet;
    await page.getByRole('navigation').getByRole('button', { name: text.window.frame.wallet, exact: true }).click();
    await page.getByRole('button', { name: words.withdraw, exact: true }).click();
    await page.getByRole('button', { name: words.review, exact: true }).click();
    await page.getByRole('button', { name: /^Withdraw \d/ }).click();
    await page.getByRole('heading', { name: /arrived$/ }).waitFor({ timeout: MINUTE });

    const { wallet } = await snapshotIn(page);
    if (wallet?.withdrawal.kind !== 'done') throw new Error('the withdrawal is not done');
    const arrived = wallet.withdrawal.amount;
    const answer = await fetch(new URL('/v1/network', network.coordinatorUrl));
    const { token } = networkInfo.parse(await answer.json());
    const chain = new JsonRpcProvider(network.rpcUrl, undefined, { cacheTimeout: -1 });
    const balanceOf = new Contract(token, ['function balanceOf(address) view returns (uint256)'], chain).getFunction(
      'balanceOf',
    );
    expect(await balanceOf(wallet.owner)).toBe(arrived);
    chain.destroy();
    await until('the balance in the window', async () => (await snapshotIn(page)).wallet?.balance === arrived);

    await photograph(app, page);

    await app.closeWindow();
    const kinds = await app.withoutRenderer();
    expect(kinds).not.toContain('Tab');
    await until('work without a window', async () => (await containersOf(deviceAddress)).length > 0, MINUTE);

    const ended = app.ended();
    await tray.click(text.tray.quit);
    expect(await ended).toBe(0);
    // The engine may still be at removing what has ended.
    await until('nothing is left', async () => (await containersOf(deviceAddress)).length === 0, MINUTE);
  },
  5 * MINUTE,
);

it.skipIf(process.platform !== 'linux')('works when nobody is there, and is frozen by the first touch', async () => {
  const idle = new TestDevice(host, {
    coordinatorUrl: network.coordinatorUrl,
    idleAfterSeconds: 10,
    words: ['--hidden'],
  });
  try {
    const { tray } = await idle.start();
    await until('the tray sharing', async () => (await tray.tooltip()).includes(text.presence('sharing')), MINUTE);
    const running = async () => (await containersOf(idle.device())).some(({ state }) => state === 'running');
    await until('work', running, MINUTE);
    execFileSync('xdotool', ['mousemove_relative', '--', '40', '20']);
    await until('nothing running', async () => !(await running()), 2_000);
    await until('the reason', async () => (await tray.tooltip()).includes('You are here.'));
  } finally {
    await idle.discard();
  }
});
