import { spawn } from 'node:child_process';
import { accessSync, closeSync, constants, mkdirSync, openSync, writeSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { cacheDir, root } from './paths.mjs';
import { StepFailure } from './step.mjs';

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env] added to this process's environment
 * @property {number} [timeoutMs]
 * @property {boolean} [show] let the output through instead of collecting it
 * @property {NodeJS.ReadableStream} [input]
 */

/** How much of a command's output is kept for a report, in characters. */
const KEPT = 200_000;

/**
 * Runs a command to its end. Never throws for a failing command: `code` says how it ended (127: not found, 124: too slow).
 * @param {string} file
 * @param {readonly string[]} args
 * @param {RunOptions} options
 * @returns {Promise<{readonly code: number, readonly out: string, readonly err: string}>}
 */
export function run(file, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      cwd: options.cwd ?? root,
      env: { ...process.env, ...options.env },
      stdio: [options.input ? 'pipe' : 'ignore', options.show ? 'inherit' : 'pipe', options.show ? 'inherit' : 'pipe'],
      windowsHide: true,
      shell: process.platform === 'win32' && /\.(cmd|bat)$/i.test(file),
    });
    let out = '';
    let err = '';
    let late = false;
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      out = (out + text).slice(-KEPT);
    });
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      err = (err + text).slice(-KEPT);
    });
    if (options.input && child.stdin) options.input.pipe(child.stdin).on('error', () => undefined);
    const timer = options.timeoutMs
      ? setTimeout(() => {
          late = true;
          child.kill('SIGKILL');
        }, options.timeoutMs)
      : undefined;
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ code: 127, out, err: `${err}${error.message}` });
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: late ? 124 : (code ?? 1), out, err });
    });
  });
}

/**
 * Runs a command that must succeed; otherwise the failure shows its last lines and where the rest is.
 * @param {string} what
 * @param {string} todo
 * @param {string} file
 * @param {readonly string[]} args
 * @param {RunOptions} options
 * @returns {Promise<string>} its standard output
 */
export async function must(what, todo, file, args, options = {}) {
  const { code, out, err } = await run(file, args, options);
  if (code === 0) return out;
  const log = saveLog(what, `$ ${file} ${args.join(' ')}\n${out}\n${err}\nexit status ${code}\n`);
  const why = code === 127 ? `${file} was not found` : code === 124 ? 'it took too long' : `exit status ${code}`;
  throw new StepFailure(
    `${what} failed (${why}).\n${lastLines(err.trim() || out.trim(), 12)}\n(whole output: ${log})`,
    todo,
  );
}

/**
 * @param {string} name
 * @param {string} text
 * @returns {string} the file written
 */
export function saveLog(name, text) {
  const file = logFile(name);
  const fd = openSync(file, 'w');
  writeSync(fd, text);
  closeSync(fd);
  return file;
}

/**
 * @param {string} name
 * @returns {string}
 */
export function logFile(name) {
  const dir = join(cacheDir, 'logs');
  mkdirSync(dir, { recursive: true });
  return join(dir, `${name.toLowerCase().replace(/[^a-z0-9]+/g, '-')}.log`);
}

/**
 * The telling part of a long output: its end, and a few lines of its beginning, where a stack names its cause.
 * @param {string} text
 * @param {number} count lines of the end
 * @returns {string}
 */
export function lastLines(text, count) {
  const lines = text.split('\n');
  const shown = lines.length > count + 6 ? [...lines.slice(0, 6), '…', ...lines.slice(-count)] : lines;
  return shown.map((line) => `  ${line}`).join('\n');
}

/**
 * The full path of a program on PATH, or undefined. Debian keeps daemons in /usr/sbin, which a user's PATH may lack.
 * @param {string} name
 * @returns {string | undefined}
 */
export function which(name) {
  const suffixes = process.platform === 'win32' ? ['.exe', '.cmd', ''] : [''];
  const dirs = (process.env['PATH'] ?? '')
    .split(delimiter)
    .concat(process.platform === 'win32' ? [] : ['/usr/sbin', '/sbin']);
  for (const dir of dirs) {
    for (const suffix of suffixes) {
      const file = join(dir, name + suffix);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {
        // Not here: look on.
      }
    }
  }
  return undefined;
}
