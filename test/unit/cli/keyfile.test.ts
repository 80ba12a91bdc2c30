import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readKeyFile } from '../../../cli/keyfile.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'idlemesh-key-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('readKeyFile', () => {
  it('makes a key once and keeps it', async () => {
    const path = join(dir, 'deep', 'key');
    const key = await readKeyFile(path, true);
    expect(key).toMatch(/^0x[0-9a-f]{64}$/);
    expect(await readKeyFile(path, true)).toBe(key);
  });

  it('asks for one when it may not make it', async () => {
    await expect(readKeyFile(join(dir, 'none'), false)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('refuses what is not a key, does not show it and leaves it alone', async () => {
    const path = join(dir, 'key');
    writeFileSync(path, 'correct horse battery staple');
    await expect(readKeyFile(path, true)).rejects.toMatchObject({
      code: 'BAD_INPUT',
      message: expect.not.stringContaining('horse'),
    });
    expect(readFileSync(path, 'utf8')).toBe('correct horse battery staple');
  });

  it.skipIf(process.platform === 'win32')('closes a file that others could read', async () => {
    const path = join(dir, 'key');
    await readKeyFile(path, true);
    chmodSync(path, 0o644);
    await readKeyFile(path, false);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('leaves a file alone that nobody else can read, for it may lie where nothing can be changed', async () => {
    const path = join(dir, 'key');
    await readKeyFile(path, true);
    const before = statSync(path).ctimeMs;
    await new Promise((resolve) => setTimeout(resolve, 20));
    await readKeyFile(path, false);
    expect(statSync(path).ctimeMs).toBe(before);
  });
});
