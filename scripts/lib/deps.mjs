import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { npmCommand } from './node.mjs';
import { root, writeWhole } from './paths.mjs';
import { must } from './run.mjs';
import { upToDate } from './step.mjs';

/** @returns {string} what `node_modules` must have been made from */
function wanted() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  return `${lock} ${process.platform} ${process.arch}\n`;
}

/**
 * Brings `node_modules` to what the lock file says. A linked folder belongs to somebody else and is left as it is.
 * @returns {Promise<string | typeof upToDate>}
 */
export async function packages() {
  const dir = join(root, 'node_modules');
  if (lstatSync(dir, { throwIfNoEntry: false })?.isSymbolicLink()) return 'linked folder, left as it is';
  const marker = join(dir, '.idlemesh-lock');
  const want = wanted();
  if (existsSync(marker) && readFileSync(marker, 'utf8') === want) return upToDate;
  const [npm, before] = npmCommand();
  const todo =
    'Look whether npm reaches its registry (npm ping) and whether the disk has 2 GB free, then run the command again.';
  // No package of ours needs its install script: native parts come as prebuilt platform packages.
  const args = [...before, 'ci', '--loglevel=error', '--ignore-scripts', '--no-audit', '--no-fund'];
  await must('npm ci', todo, npm, args, { timeoutMs: 900_000 });
  writeWhole(marker, want);
  return 'from package-lock.json';
}
