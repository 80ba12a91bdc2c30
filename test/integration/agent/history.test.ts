import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { historyFile } from '../../../agent/adapters/history.ts';
import type { History } from '../../../agent/ports.ts';
import { aSwitch, historyBehaviour } from '../../behaviors/history.ts';
import { NOON } from '../../behaviors/leases.ts';

const silent = (): void => undefined;

historyBehaviour('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'idlemesh-history-'));
  return {
    open: (now) => historyFile(join(folder, 'history.db'), { log: silent, now }),
    clean: async () => rmSync(folder, { recursive: true, force: true }),
  };
});

let folder: string;
let path: string;
let history: History | null = null;
const log = vi.fn();
const now = (): number => NOON;
const open = (): History => {
  history = historyFile(path, { log, now });
  return history;
};
const events = (): readonly unknown[] => log.mock.calls.map(([, event]) => event);
const newest = (from: History) => from.page({ before: null, limit: 10 }).entries;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'idlemesh-history-'));
  path = join(folder, 'history.db');
  log.mockClear();
});
afterEach(() => {
  history?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('makes no file before there is something to keep, and writes without being asked again', async () => {
  const kept = open();
  expect(readdirSync(folder)).toEqual([]);
  kept.append(aSwitch());
  expect(readdirSync(folder), 'nothing is written in the turn of the switch').toEqual([]);
  await vi.waitFor(() => expect(readdirSync(folder)).toContain('history.db'));
  // Another process, as after kill -9, finds it.
  const other = historyFile(path, { log, now });
  await vi.waitFor(() => expect(newest(other)).toMatchObject([aSwitch()]));
  other.close();
});

test.each([
  ['is no database', Buffer.from('This is a letter to my aunt, and it is rather long. '.repeat(200))],
  ['was cut in the middle of a page', 'cut'],
  ['has other tables', 'foreign'],
])('a file that %s is moved aside, told of, and does not lose what comes', (_what, content) => {
  const before = open();
  for (let count = 0; count < 300; count++) before.append(aSwitch({ at: NOON - count }));
  before.close();
  for (const ending of ['-wal', '-shm']) rmSync(`${path}${ending}`, { force: true });
  if (content === 'foreign') {
    rmSync(path);
    execFileSync(process.execPath, [
      '-e',
      `new (require('node:sqlite').DatabaseSync)(process.argv[1]).exec('CREATE TABLE switches (a, at)')`,
      path,
    ]);
  } else if (content === 'cut') {
    const whole = readFileSync(path);
    writeFileSync(path, Buffer.concat([whole.subarray(0, 4096), Buffer.alloc(whole.length - 4096, 0x5a)]));
  } else writeFileSync(path, content);
  const after = open();
  after.append(aSwitch({ lane: 'gpu', gpu: 'GPU-7' }));
  expect(newest(after)[0]).toMatchObject({ gpu: 'GPU-7' });
  expect(events()).toContain('history-broken');
  expect(readdirSync(folder).filter((name) => name.includes('broken')).length).toBeGreaterThan(0);
});

test('reasons that this version does not know are left out, and the rest is told', () => {
  const kept = open();
  kept.append(aSwitch());
  kept.append(aSwitch({ to: JSON.parse('{"kind":"full-moon"}') }));
  kept.append(aSwitch({ to: 'run', from: { kind: 'on-battery' } }));
  expect(newest(kept).map(({ to }) => to)).toEqual(['run', aSwitch().to]);
});

test('where nothing can be written, appending goes on and asking says why', () => {
  mkdirSync(path);
  const kept = open();
  kept.append(aSwitch());
  expect(() => newest(kept)).toThrowError(expect.objectContaining({ code: 'DISK_FULL' }));
  expect(events()).toEqual(['history-not-written']);
  rmSync(path, { recursive: true });
  expect(newest(kept)).toHaveLength(1);
});
