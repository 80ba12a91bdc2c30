import { spawn } from 'node:child_process';
import { mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { catalogueFile, catalogueKeysFile } from './catalogue.mjs';
import { electronProgram } from './electron.mjs';
import { root } from './paths.mjs';
import { isRoot } from './system.mjs';

/** Seconds. Short, so that a newcomer sees the practice network's first job within two minutes. */
const IDLE_AFTER = '20';

/**
 * The command line of the app on a practice network.
 * @param {{readonly dataDir: string, readonly coordinatorUrl: string, readonly catalogue: string, readonly catalogueKeys: string, readonly root: boolean, readonly platform: string}} given
 * @returns {string[]}
 */
export function appArguments({ dataDir, coordinatorUrl, catalogue, catalogueKeys, root: asRoot, platform }) {
  return [
    // Chromium refuses its sandbox to root; nobody should run the app as root, but a container often must.
    ...(asRoot && platform === 'linux' ? ['--no-sandbox'] : []),
    root,
    `--idlemesh-data=${dataDir}`,
    `--idlemesh-coordinator=${coordinatorUrl}`,
    `--idlemesh-catalogue=${catalogue}`,
    `--idlemesh-catalogue-keys=${catalogueKeys}`,
    `--idlemesh-idle-after=${IDLE_AFTER}`,
  ];
}

/**
 * Where the app's own output goes.
 * @param {string} dataDir
 */
export const appOutput = (dataDir) => join(dataDir, 'output.log');

/**
 * Starts the app and resolves with its exit status.
 * @param {string} dataDir
 * @param {string} coordinatorUrl
 * @returns {{readonly ended: Promise<number>, readonly quit: () => void}}
 */
export function startApp(dataDir, coordinatorUrl) {
  const args = appArguments({
    dataDir,
    coordinatorUrl,
    catalogue: catalogueFile,
    catalogueKeys: catalogueKeysFile,
    root: isRoot(),
    platform: process.platform,
  });
  // Chromium talks a lot about things that do no harm; it matters only to somebody who looks for a fault.
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const output = openSync(appOutput(dataDir), 'w', 0o600);
  return supervise(electronProgram(), args, ['ignore', output, output]);
}

/**
 * The same without a window: the agent in this terminal, with its live view.
 * @param {string} dataDir
 * @param {string} coordinatorUrl
 * @returns {{readonly ended: Promise<number>, readonly quit: () => void}}
 */
export function startTerminalAgent(dataDir, coordinatorUrl) {
  const entry = join(root, 'cli/index.ts');
  const args = [
    '--disable-warning=ExperimentalWarning',
    entry,
    'agent',
    '--data',
    dataDir,
    '--coordinator',
    coordinatorUrl,
    '--idle-after',
    IDLE_AFTER,
    '--live',
  ];
  return supervise(process.execPath, args, ['ignore', 'inherit', 'inherit']);
}

/**
 * Runs a program in a group of its own and asks it to end once: Ctrl-C would otherwise reach it from the terminal and again
 * from us, and a second request means "at once", in the middle of its leave-taking.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {import('node:child_process').StdioOptions} stdio
 * @returns {{readonly ended: Promise<number>, readonly quit: () => void}}
 */
function supervise(program, args, stdio) {
  // Windows has no such groups: there Ctrl-C reaches every program of the console, and a signal from us would kill.
  const own = process.platform !== 'win32';
  const child = spawn(program, args, { cwd: root, stdio, detached: own });
  let asked = !own;
  const quit = () => {
    if (!asked) child.kill('SIGTERM');
    asked = true;
  };
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? (signal === 'SIGTERM' || signal === 'SIGINT' ? 0 : 1)));
  });
  return { ended, quit };
}
