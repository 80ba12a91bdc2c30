import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fingerprint, practiceDataDir, userCacheDir } from '../../../scripts/lib/paths.mjs';

describe('folders of the user', () => {
  test.each([
    ['linux', {}, '/home/me/.cache/idlemesh', '/home/me/.local/share/idlemesh/practice'],
    ['linux', { XDG_CACHE_HOME: '/c', XDG_DATA_HOME: '/d' }, '/c/idlemesh', '/d/idlemesh/practice'],
    ['darwin', {}, '/home/me/Library/Caches/idlemesh', '/home/me/Library/Application Support/Idlemesh/practice'],
  ])('%s %j', (platform, env, cache, data) => {
    expect(userCacheDir(env, platform, '/home/me')).toBe(cache);
    expect(practiceDataDir(env, platform, '/home/me')).toBe(data);
  });

  test('Windows', () => {
    const env = { LOCALAPPDATA: 'C:\\L', APPDATA: 'C:\\R' };
    expect(userCacheDir(env, 'win32', 'C:\\me')).toBe('C:\\L\\idlemesh\\Cache');
    expect(practiceDataDir(env, 'win32', 'C:\\me')).toBe('C:\\R\\Idlemesh\\practice');
  });
});

describe('fingerprint', () => {
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'fingerprint-'));
    mkdirSync(join(dir, 'a/out'), { recursive: true });
    writeFileSync(join(dir, 'a/one.ts'), 'one');
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));
  const now = (): string => fingerprint(['a', 'b.json'], dir);

  test('stays while contents stay, whatever the times and products', () => {
    const before = now();
    writeFileSync(join(dir, 'a/one.ts'), 'one');
    writeFileSync(join(dir, 'a/out/product.js'), 'made');
    expect(now()).toBe(before);
  });

  test.each<[string, () => void]>([
    ['a changed file', () => writeFileSync(join(dir, 'a/one.ts'), 'two')],
    ['a new file', () => writeFileSync(join(dir, 'a/two.ts'), '')],
    ['a file that was absent', () => writeFileSync(join(dir, 'b.json'), '{}')],
    ['a file made executable', () => chmodSync(join(dir, 'a/one.ts'), 0o755)],
    ['a removed file', () => rmSync(join(dir, 'a/one.ts'))],
  ])('changes with %s', (_what, change) => {
    const before = now();
    change();
    expect(now()).not.toBe(before);
  });
});
