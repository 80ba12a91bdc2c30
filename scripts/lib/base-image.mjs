import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callEngine } from './engine.mjs';
import { must, run } from './run.mjs';
import { StepFailure, upToDate, warn } from './step.mjs';
import { ensurePackages, isRoot, refreshLists, thisFamily } from './system.mjs';

/** @typedef {import('./engine.mjs').Place} Place */

const REPOSITORY = 'debian';
const TAG = 'bookworm-slim';
const SUITE = 'bookworm';
const BASE_IMAGE = `${REPOSITORY}:${TAG}`;

/** A pull that shows no progress for this long is blocked. Milliseconds. */
const PULL_SILENCE_MS = 20_000;

/**
 * @param {Place} place
 * @param {string} name
 * @returns {Promise<{readonly Id: string, readonly labels: Readonly<Record<string, string>>} | undefined>}
 */
export async function inspectImage(place, name) {
  const { status, text } = await callEngine(place, 'GET', `/images/${encodeURIComponent(name)}/json`);
  if (status !== 200) return undefined;
  const image = JSON.parse(text);
  return { Id: String(image.Id), labels: image.Config?.Labels ?? {} };
}

/**
 * The error in the engine's stream of progress lines, if any: a failed pull or build still ends with status 200.
 * @param {string} text
 * @returns {string | undefined}
 */
export function streamError(text) {
  for (const line of text.split('\n')) {
    if (!line.includes('"error')) continue;
    try {
      const message = JSON.parse(line);
      if (message.error || message.errorDetail) return String(message.error ?? message.errorDetail.message);
    } catch {
      // A cut-off line is no verdict.
    }
  }
  return undefined;
}

/**
 * The words of a refusal: the engine wraps them in JSON.
 * @param {string} text
 * @returns {string}
 */
export function refusal(text) {
  try {
    return String(JSON.parse(text).message ?? text);
  } catch {
    return text.trim().slice(0, 400);
  }
}

/**
 * The archive to take Debian from, read from this machine's own package sources.
 * @param {string} targets lines of `URI RELEASE COMPONENT CREATED_BY`
 * @returns {string | undefined}
 */
export function chooseMirror(targets) {
  for (const line of targets.split('\n')) {
    const [uri, release, component, made] = line.trim().split(/\s+/);
    if (uri && release === SUITE && component === 'main' && made === 'Packages') return uri;
  }
  return undefined;
}

/**
 * The image that every workload builds on: pulled where a registry can be reached, else made from Debian's packages.
 * @param {Place} place
 * @returns {Promise<string | typeof upToDate>}
 */
export async function baseImage(place) {
  if (await inspectImage(place, BASE_IMAGE)) return upToDate;
  const refused = await pull(place);
  if (!refused) return 'pulled';
  if (thisFamily() !== 'debian' || !isRoot()) {
    throw new StepFailure(
      `The base image ${BASE_IMAGE} could not be pulled: ${refused}`,
      `Check the network, then: docker pull ${BASE_IMAGE}. Without a registry it can be made from Debian's packages: run this command as root on Debian, or load an image elsewhere saved (docker save, docker load).`,
    );
  }
  warn(`no image registry can be reached (${refused}); making ${BASE_IMAGE} from Debian's packages instead`);
  await makeFromPackages(place);
  return "made from Debian's packages";
}

/**
 * @param {Place} place
 * @returns {Promise<string | undefined>} why it failed, or undefined
 */
async function pull(place) {
  try {
    const { status, text } = await callEngine(place, 'POST', `/images/create?fromImage=${REPOSITORY}&tag=${TAG}`, {
      timeoutMs: PULL_SILENCE_MS,
    });
    const error = streamError(text) ?? (status === 200 ? undefined : refusal(text));
    if (error) return error;
    return (await inspectImage(place, BASE_IMAGE)) ? undefined : 'the engine reported success but has no image';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** What an image of packages does not need: caches, lists, documentation, translations. */
const NEEDLESS = [
  'var/cache/apt',
  'var/lib/apt/lists',
  'var/cache/debconf',
  'var/log',
  'usr/share/doc',
  'usr/share/man',
  'usr/share/info',
  'usr/share/locale',
];

/** @returns {Promise<string | undefined>} the archive that this machine's own sources name */
export async function debianMirror() {
  await refreshLists();
  const { out } = await run('apt-get', [
    'indextargets',
    '--format',
    '$(REPO_URI) $(RELEASE) $(COMPONENT) $(CREATED_BY)',
  ]);
  return chooseMirror(out);
}

/** @param {Place} place */
async function makeFromPackages(place) {
  await ensurePackages(['debootstrap'], 'Making the base image', '');
  const mirror = await debianMirror();
  if (!mirror) {
    throw new StepFailure(
      `This machine's package sources have no Debian ${SUITE}.`,
      `Let it reach an image registry (docker pull ${BASE_IMAGE}), or add Debian ${SUITE} to its sources.`,
    );
  }
  const dir = mkdtempSync(join(tmpdir(), 'idlemesh-base-'));
  try {
    const todo = 'Read the lines above; most often the package mirror was away: run the command again.';
    await must('debootstrap', todo, 'debootstrap', ['--variant=minbase', SUITE, dir, mirror], { timeoutMs: 900_000 });
    for (const path of NEEDLESS) {
      await must('Clearing the base image', todo, 'find', [join(dir, path), '-mindepth', '1', '-delete']);
    }
    // apt refuses to work without this folder, which only its packages' own files fill again.
    await must('Clearing the base image', todo, 'mkdir', [
      '-p',
      join(dir, 'var/lib/apt/lists/partial'),
      join(dir, 'var/cache/apt/archives/partial'),
      join(dir, 'var/log/apt'),
    ]);
    await importFolder(place, dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * @param {Place} place
 * @param {string} dir
 */
async function importFolder(place, dir) {
  const tar = spawn('tar', ['-C', dir, '--numeric-owner', '-c', '.'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const change = encodeURIComponent('CMD ["bash"]');
  const path = `/images/create?fromSrc=-&repo=${REPOSITORY}&tag=${TAG}&changes=${change}`;
  const { status, text } = await callEngine(place, 'POST', path, { body: tar.stdout, timeoutMs: 300_000 });
  const error = streamError(text) ?? (status === 200 ? undefined : refusal(text));
  if (error)
    throw new StepFailure(
      `The engine did not take the base image: ${error}`,
      'Look whether its disk is full (docker system df), then run the command again.',
    );
}
