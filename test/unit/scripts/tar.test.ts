import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { tarFolder, tarHeader } from '../../../scripts/lib/tar.mjs';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tar-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("the system's own tar reads the archive back", () => {
  mkdirSync(join(dir, 'deep/er'), { recursive: true });
  writeFileSync(join(dir, 'Dockerfile'), 'FROM x\n');
  writeFileSync(join(dir, 'deep/er/run.sh'), 'a'.repeat(512));
  writeFileSync(join(dir, 'deep/empty'), '');
  chmodSync(join(dir, 'deep/er/run.sh'), 0o755);
  const input = tarFolder(dir);
  expect(input.length % 512).toBe(0);
  const list = execFileSync('tar', ['-tvf', '-'], { input, encoding: 'utf8' });
  expect(list).toMatch(/^-rw-r--r-- .* 7 .* Dockerfile$/m);
  expect(list).toMatch(/^-rwxr-xr-x .* 512 .* deep\/er\/run\.sh$/m);
  expect(execFileSync('tar', ['-xOf', '-', 'deep/er/run.sh'], { input, encoding: 'utf8' })).toBe('a'.repeat(512));
});

test('equal folders give equal archives', () => {
  writeFileSync(join(dir, 'x'), '1');
  const before = tarFolder(dir);
  writeFileSync(join(dir, 'x'), '1');
  expect(tarFolder(dir).equals(before)).toBe(true);
});

test('a name that does not fit is refused rather than cut', () => {
  expect(() => tarHeader('n'.repeat(101), 0, 0o644)).toThrow(RangeError);
});
