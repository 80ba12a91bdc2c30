import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lend, lendLines, lendWith, lentOf, trafficLines, trafficReport } from '../../../cli/lend.ts';
import { settingsIn } from '../../../cli/machine.ts';
import { defaultSettings } from '../../../core/settings.ts';
import { textIn } from '../../../core/text/index.ts';
import { NO_USAGE, withBytes, withStored } from '../../../core/traffic.ts';

const GIB = 1024 ** 3;
let dataDir: string;
beforeAll(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'idlemesh-lend-'));
});
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));
const log = () => undefined;
const noon = { now: () => Date.UTC(2026, 10, 23, 12), utcOffsetMinutes: () => 540 };

describe('what is lent', () => {
  test('changes by what was said, and by nothing else', () => {
    const settings = defaultSettings();
    const next = lendWith(settings, {
      ...{ storage: 'on', bandwidth: 'idle', lendGib: 200, folder: 'lent', resetDay: 15 },
      ...{ monthlyCapGib: 500, upMbps: null, busyUpMbps: 2 },
    });
    expect(lentOf(next)).toEqual({
      storage: { share: 'always', lendGiB: 200, minFreeGiB: 20, folder: resolve('lent') },
      bandwidth: { share: 'when-idle', cacheGiB: 10 },
      network: { ...settings.limits.network, monthlyCapGiB: 500, resetDay: 15, idleUpMbps: null, busyUpMbps: 2 },
    });
    expect(lendWith(next, {})).toEqual(next);
    expect(lendWith(next, { folder: null, storage: 'off' }).limits.storage.folder).toBeNull();
    for (const wrong of [{ resetDay: 29 }, { lendGib: 0 }, { upMbps: 0 }])
      expect(() => lendWith(next, wrong)).toThrow(expect.objectContaining({ code: 'BAD_INPUT' }));
  });
  test('is on the disk for an agent that runs, and looking writes nothing', async () => {
    expect(await settingsIn(dataDir)).toEqual(defaultSettings());
    expect(() => readFileSync(join(dataDir, 'settings.json'))).toThrow();
    await lend({ dataDir, log }, { storage: 'on', lendGib: 70 });
    const kept = await settingsIn(dataDir);
    expect([kept.lanes.storage.share, kept.limits.storage.lendGiB]).toEqual(['always', 70]);
    await expect(lend({ dataDir, log }, { cacheGib: 0 })).rejects.toMatchObject({ code: 'BAD_INPUT' });
    expect(await settingsIn(dataDir)).toEqual(kept);
  });
  test.each(['en', 'ja'] as const)('can be read, in %s', (language) => {
    const text = textIn(language);
    const lines = lendLines(lendWith(defaultSettings(), { storage: 'on', folder: '/media/large' }), text);
    expect(lines).toContain(`  ${text.window.lanes.named(text.window.lend.drive, '/media/large')}`);
    expect(lines).toContain(`  ${text.window.lanes.named(text.window.network.busyUp, '1 Mbit/s')}`);
    expect(lines).toHaveLength(13);
  });
});

test('what passed is told by day and lane, and against the cap', async () => {
  let usage = withBytes(NO_USAGE, '2026-11-14', 'cpu', 'in', 9 * GIB);
  usage = withBytes(usage, '2026-11-22', 'bandwidth', 'out', 3 * GIB);
  usage = withBytes(usage, '2026-11-23', 'session', 'in', GIB / 2);
  usage = withStored(usage, '2026-11-23', 31 * GIB);
  writeFileSync(join(dataDir, 'traffic.json'), JSON.stringify(usage));
  await lend({ dataDir, log }, { monthlyCapGib: 100, resetDay: 15 });
  const report = await trafficReport({ dataDir, log }, 3, noon);
  expect(report.period).toEqual({
    ...{ in: GIB / 2, out: 3 * GIB, capBytes: 100 * GIB },
    resetsAt: Date.UTC(2026, 11, 14, 15),
  });
  expect(trafficLines(report, textIn('en'), 'en', 540)).toEqual([
    'This month: 3.5 GiB of 100.0 GiB (0.5 GiB received, 3.0 GiB sent). Counted anew on 15 December.',
    '22 November',
    '  Bandwidth: 0.0 GiB received, 3.0 GiB sent',
    '23 November',
    '  Talking with the network: 0.5 GiB received, 0.0 GiB sent',
    '  Kept for others: 31.0 GiB',
  ]);
});
