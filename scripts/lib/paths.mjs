import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, posix, resolve, win32 } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's root folder. */
export const root = resolve(fileURLToPath(import.meta.url), '..', '..', '..');

/** What set-up made for this checkout; git ignores it and deleting it is always safe. */
export const cacheDir = join(root, '.cache');

/**
 * What every checkout on this machine can share (Node and Electron binaries).
 * @param {Readonly<Record<string, string | undefined>>} env
 * @param {string} platform
 * @param {string} home
 * @returns {string}
 */
export function userCacheDir(env = process.env, platform = process.platform, home = homedir()) {
  const { join: under } = platform === 'win32' ? win32 : posix;
  if (env['XDG_CACHE_HOME']) return under(env['XDG_CACHE_HOME'], 'idlemesh');
  if (platform === 'win32') return under(env['LOCALAPPDATA'] ?? under(home, 'AppData', 'Local'), 'idlemesh', 'Cache');
  if (platform === 'darwin') return under(home, 'Library', 'Caches', 'idlemesh');
  return under(home, '.cache', 'idlemesh');
}

/**
 * Where the practice network and the app started beside it keep their data.
 * @param {Readonly<Record<string, string | undefined>>} env
 * @param {string} platform
 * @param {string} home
 * @returns {string}
 */
export function practiceDataDir(env = process.env, platform = process.platform, home = homedir()) {
  const { join: under } = platform === 'win32' ? win32 : posix;
  if (platform === 'win32') return under(env['APPDATA'] ?? under(home, 'AppData', 'Roaming'), 'Idlemesh', 'practice');
  if (platform === 'darwin') return under(home, 'Library', 'Application Support', 'Idlemesh', 'practice');
  return under(env['XDG_DATA_HOME'] || under(home, '.local', 'share'), 'idlemesh', 'practice');
}

/**
 * One hash over the names and contents of files and folders (relative to the root), whatever their times.
 * A path that does not exist counts as its absence.
 * @param {readonly string[]} paths
 * @param {string} base
 * @returns {string}
 */
export function fingerprint(paths, base = root) {
  const hash = createHash('sha256');
  /** @param {string} path */
  const add = (path) => {
    const full = join(base, path);
    const stat = lstatSync(full, { throwIfNoEntry: false });
    if (!stat) {
      hash.update(`absent ${path}\n`);
    } else if (stat.isDirectory()) {
      for (const name of readdirSync(full).sort())
        if (name !== 'node_modules' && name !== 'out') add(`${path}/${name}`);
    } else if (stat.isFile()) {
      hash.update(`${path} ${stat.mode & 0o111 ? 'x' : '-'} ${stat.size}\n`);
      hash.update(readFileSync(full));
    }
  };
  for (const path of paths) add(path);
  return hash.digest('hex');
}

/**
 * What an earlier run noted under a name in `.cache`, or undefined.
 * @param {string} name
 * @returns {string | undefined}
 */
export function note(name) {
  const file = join(cacheDir, name);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

/**
 * Writes a file whole or not at all: a run cut off in the middle must not leave half a note.
 * @param {string} file
 * @param {string} text
 */
export function writeWhole(file, text) {
  mkdirSync(resolve(file, '..'), { recursive: true });
  const draft = `${file}.${process.pid}.tmp`;
  writeFileSync(draft, text);
  renameSync(draft, file);
}

/**
 * @param {string} name
 * @param {string} text
 */
export function setNote(name, text) {
  writeWhole(join(cacheDir, name), text);
}
