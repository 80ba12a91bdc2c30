import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { root, writeWhole } from './paths.mjs';
import { lastLines } from './run.mjs';
import { StepFailure } from './step.mjs';

/**
 * @typedef {object} Network
 * @property {string} url the coordinator's
 * @property {boolean} ours whether this process started it, and so must stop it
 * @property {() => Promise<void>} stop ends it gracefully; nothing happens to one that is not ours
 * @property {Promise<number>} ended resolves with the exit status of one that is ours
 */

/** A first start deploys the contracts and makes the database. Milliseconds. */
const READY_LIMIT_MS = 90_000;

/** After this long a network that was asked to end is ended. Milliseconds. */
const STOP_LIMIT_MS = 15_000;

/**
 * The coordinator's address in a line of the practice network's output, or undefined.
 * @param {string} line
 * @returns {string | undefined}
 */
export function readyUrl(line) {
  if (!line.startsWith('{')) return undefined;
  try {
    const message = JSON.parse(line);
    return message.ready === true && typeof message.coordinatorUrl === 'string' ? message.coordinatorUrl : undefined;
  } catch {
    return undefined;
  }
}

/** @param {string} dataDir */
const recordFile = (dataDir) => join(dataDir, 'running.json');

/** @param {number} pid */
function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * The practice network that already runs on this data, if one does and answers. One whose starter was killed has nobody to
 * end it any more: it is ended here.
 * @param {string} dataDir
 * @returns {Promise<string | undefined>} its coordinator's URL
 */
async function running(dataDir) {
  if (!existsSync(recordFile(dataDir))) return undefined;
  try {
    const { pid, starter, coordinatorUrl } = JSON.parse(readFileSync(recordFile(dataDir), 'utf8'));
    // Any answer at all will do: what matters is that somebody serves there.
    await fetch(coordinatorUrl, { signal: AbortSignal.timeout(2_000) });
    if (!alive(pid)) return undefined;
    if (alive(starter)) return coordinatorUrl;
    process.kill(pid, 'SIGTERM');
    for (const end = Date.now() + STOP_LIMIT_MS; alive(pid) && Date.now() < end; ) await delay(100);
    return undefined;
  } catch {
    return undefined;
  }
}

/**
 * A practice network on this data: the one that runs, or a new one beside this process.
 * @param {string} dataDir
 * @returns {Promise<Network>}
 */
export async function practiceNetwork(dataDir) {
  const url = await running(dataDir);
  if (url) return { url, ours: false, stop: async () => undefined, ended: new Promise(() => undefined) };
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const logPath = join(dataDir, 'practice.log');
  const log = openSync(logPath, 'w');
  const args = ['--disable-warning=ExperimentalWarning', join(root, 'cli/index.ts'), 'practice', '--data', dataDir];
  // A group of its own: Ctrl-C in the terminal reaches us alone, and we end it after the app, in order.
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', log],
    detached: process.platform !== 'win32',
  });
  /** @type {Promise<number>} */
  const ended = new Promise((resolve) => {
    child.on('error', () => resolve(127));
    child.on('exit', (code) => resolve(code ?? 1));
  });
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
      await ended;
      clearTimeout(timer);
    }
    rmSync(recordFile(dataDir), { force: true });
  };
  // Whatever way this process ends, no network of ours may go on without anybody to stop it.
  process.once('exit', () => child.kill('SIGTERM'));
  const ready = await firstReady(child, ended);
  if (!ready) {
    await stop();
    const said = lastLines(readFileSync(logPath, 'utf8').trimEnd(), 12);
    throw new StepFailure(
      `The practice network did not come up.\n${said}`,
      `Its log: ${logPath}. If its data is damaged, delete ${dataDir} (it holds practice money only) and run the command again.`,
    );
  }
  writeWhole(recordFile(dataDir), JSON.stringify({ pid: child.pid, starter: process.pid, coordinatorUrl: ready }));
  return { url: ready, ours: true, stop, ended };
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {Promise<number>} ended
 * @returns {Promise<string | undefined>}
 */
async function firstReady(child, ended) {
  if (!child.stdout) return undefined;
  const lines = createInterface({ input: child.stdout });
  /** @type {Promise<string>} */
  const ready = new Promise((resolve) => {
    lines.on('line', (line) => {
      const url = readyUrl(line);
      if (url) resolve(url);
    });
  });
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const tooLong = new Promise((resolve) => {
    timer = setTimeout(() => resolve(undefined), READY_LIMIT_MS);
  });
  const result = await Promise.race([ready, ended.then(() => undefined), tooLong]);
  clearTimeout(timer);
  return typeof result === 'string' ? result : undefined;
}
