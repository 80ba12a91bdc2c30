import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { must, run, which } from './run.mjs';
import { StepFailure } from './step.mjs';

/**
 * @param {string} text the content of `/etc/os-release`
 * @returns {Readonly<Record<string, string>>}
 */
export function parseOsRelease(text) {
  /** @type {Record<string, string>} */
  const fields = {};
  for (const line of text.split('\n')) {
    const match = /^([A-Z_0-9]+)=(?:"(.*)"|'(.*)'|(.*))$/.exec(line.trim());
    if (match?.[1]) fields[match[1]] = match[2] ?? match[3] ?? match[4] ?? '';
  }
  return fields;
}

/** @typedef {'debian' | 'fedora' | 'arch' | 'suse' | 'linux' | 'mac' | 'windows'} Family */

/**
 * @param {string} platform
 * @param {Readonly<Record<string, string>>} release
 * @returns {Family}
 */
export function family(platform, release) {
  if (platform === 'win32') return 'windows';
  if (platform === 'darwin') return 'mac';
  const names = `${release['ID'] ?? ''} ${release['ID_LIKE'] ?? ''}`.toLowerCase().split(/\s+/);
  if (names.some((name) => name === 'debian' || name === 'ubuntu')) return 'debian';
  if (names.some((name) => name === 'fedora' || name === 'rhel')) return 'fedora';
  if (names.includes('arch')) return 'arch';
  if (names.some((name) => name.includes('suse'))) return 'suse';
  return 'linux';
}

/** @returns {Family} */
export function thisFamily() {
  const file = '/etc/os-release';
  return family(process.platform, existsSync(file) ? parseOsRelease(readFileSync(file, 'utf8')) : {});
}

export const isRoot = () => process.getuid?.() === 0;

/**
 * Who installs a system package: we at once, we after a yes, or the user with a command we print.
 * @param {{readonly family: Family, readonly root: boolean, readonly terminal: boolean, readonly sudo: boolean}} here
 * @returns {'install' | 'ask' | 'tell'}
 */
export function chooseInstaller({ family: kind, root, terminal, sudo }) {
  if (kind !== 'debian') return 'tell';
  if (!terminal) return root ? 'install' : 'tell';
  return root || sudo ? 'ask' : 'tell';
}

const installer = () =>
  chooseInstaller({
    family: thisFamily(),
    root: isRoot(),
    terminal: Boolean(process.stdin.isTTY && process.stdout.isTTY) && !process.env['CI'],
    sudo: which('sudo') !== undefined,
  });

/**
 * Asks one yes-or-no question on the terminal; an empty answer means yes.
 * @param {string} question
 * @returns {Promise<boolean>}
 */
async function confirm(question) {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^(|y|yes)$/i.test((await lines.question(`${question} [Y/n] `)).trim());
  } finally {
    lines.close();
  }
}

/**
 * Runs a command that needs root's rights, if we may and the user agrees; false when it is left to the user.
 * @param {string} question
 * @returns {Promise<readonly string[] | undefined>} the words to put before the command, or undefined
 */
export async function rootPrefix(question) {
  const choice = installer();
  if (choice === 'tell' || (choice === 'ask' && !(await confirm(question)))) return undefined;
  return isRoot() ? [] : ['sudo'];
}

/**
 * @param {readonly string[]} names
 * @returns {Promise<string[]>} those that are not installed
 */
async function missingPackages(names) {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the field syntax is dpkg's own
  const { out } = await run('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', ...names]);
  const present = new Set(
    out
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  return names.filter((name) => !present.has(name));
}

const APT = ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3'];

/**
 * Newer releases renamed some libraries (64-bit time): takes whichever name this release knows.
 * @param {string} name
 * @returns {Promise<string>}
 */
async function knownName(name) {
  const { out } = await run('apt-cache', ['show', '--no-all-versions', `${name}t64`]);
  return out.includes('Package:') ? `${name}t64` : name;
}

/** Reads the package lists where there are none (a fresh container image). */
export async function refreshLists(/** @type {readonly string[]} */ prefix = []) {
  const lists = '/var/lib/apt/lists';
  if (existsSync(lists) && readdirSync(lists).some((file) => /_Packages(\.\w+)?$/.test(file))) return;
  await apt(prefix, ['update']);
}

/**
 * @param {readonly string[]} prefix
 * @param {readonly string[]} words
 */
async function apt(prefix, words) {
  const [file = 'apt-get', ...args] = [...prefix, 'apt-get', ...APT, ...words];
  const todo = `Run it yourself and read what it says: ${isRoot() ? '' : 'sudo '}apt-get ${words.join(' ')}`;
  await must(`apt-get ${words[0]}`, todo, file, args, {
    env: { DEBIAN_FRONTEND: 'noninteractive' },
    timeoutMs: 900_000,
  });
}

/**
 * Sees to it that Debian packages are there; on other systems, and where we may not, it fails with what to install.
 * @param {readonly string[]} names
 * @param {string} purpose completes "… needs these packages"
 * @param {string} elsewhere what to do on systems without apt
 * @returns {Promise<readonly string[]>} what was installed now
 */
export async function ensurePackages(names, purpose, elsewhere) {
  if (thisFamily() !== 'debian')
    throw new StepFailure(`${purpose} needs what Debian calls ${names.join(', ')}.`, elsewhere);
  const missing = await missingPackages(names);
  if (missing.length === 0) return [];
  const prefix = await rootPrefix(`${purpose} needs ${missing.join(', ')}. Install with apt-get?`);
  if (!prefix)
    throw new StepFailure(
      `${purpose} needs packages that are not installed: ${missing.join(', ')}.`,
      `sudo apt-get install -y ${missing.join(' ')}`,
    );
  await refreshLists(prefix);
  const { code } = await run('apt-get', ['-s', 'install', ...missing]);
  const wanted = code === 0 ? missing : await Promise.all(missing.map(knownName));
  if (code !== 0) await apt(prefix, ['update']);
  await apt(prefix, ['install', '-y', '--no-install-recommends', ...wanted]);
  return wanted;
}
