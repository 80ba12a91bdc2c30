import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { baseImage, inspectImage, refusal, streamError } from './base-image.mjs';
import { enginePlatform, signCatalogue } from './catalogue.mjs';
import { callEngine } from './engine.mjs';
import { fingerprint, root } from './paths.mjs';
import { lastLines, saveLog } from './run.mjs';
import { StepFailure, step, upToDate } from './step.mjs';
import { tarFolder } from './tar.mjs';

/** @typedef {import('./engine.mjs').Place} Place */

/** Set on each image: the hash of the folder it was built from. */
const SOURCE_LABEL = 'org.idlemesh.source';

/** A package download inside a build may be silent for long. Milliseconds. */
const BUILD_SILENCE_MS = 300_000;

/** @returns {string[]} the workloads of this checkout */
function workloads() {
  const dir = join(root, 'workloads');
  if (!existsSync(dir)) return [];
  return readdirSync(dir).filter(
    (name) => existsSync(join(dir, name, 'Dockerfile')) && existsSync(join(dir, name, 'manifest.json')),
  );
}

/**
 * Builds what is missing or changed, and writes the practice catalogue.
 * @param {Place} place
 */
export async function images(place) {
  const names = workloads();
  /** @type {{readonly name: string, readonly tag: string, readonly hash: string, readonly manifest: Readonly<Record<string, unknown>>, id?: string}[]} */
  const found = [];
  for (const name of names) {
    const manifest = JSON.parse(readFileSync(join(root, 'workloads', name, 'manifest.json'), 'utf8'));
    const tag = `idlemesh/${manifest.id}:${manifest.version}`;
    const hash = fingerprint([`workloads/${name}`]);
    const image = await inspectImage(place, tag);
    found.push({
      name,
      tag,
      hash,
      manifest,
      ...(image && image.labels[SOURCE_LABEL] === hash ? { id: image.Id } : {}),
    });
  }
  // A present workload image holds its base: asking for the base only when something must be built keeps a start quick.
  if (found.some((item) => !item.id))
    await step('base image', () => baseImage(place), 'pulling or making it, under a minute');
  for (const item of found) {
    await step(
      `workload image ${item.name}`,
      async () => {
        if (item.id) return upToDate;
        item.id = await build(place, item.name, item.tag, item.hash);
        return item.tag;
      },
      'about a minute the first time',
    );
  }
  const entries = found.map((item) => ({
    ...item.manifest,
    images: { [enginePlatform()]: { id: item.id, pull: null } },
  }));
  await step('catalogue', () => signCatalogue(entries));
}

/**
 * @param {Place} place
 * @param {string} name
 * @param {string} tag
 * @param {string} hash
 * @returns {Promise<string>} the image's content id
 */
async function build(place, name, tag, hash) {
  // The host's network: a package mirror that the host reaches by a name or proxy of its own is reachable in the build too.
  const query = new URLSearchParams({
    t: tag,
    networkmode: 'host',
    forcerm: '1',
    version: '1',
    labels: JSON.stringify({ [SOURCE_LABEL]: hash }),
  });
  const body = tarFolder(join(root, 'workloads', name));
  const { status, text } = await callEngine(place, 'POST', `/build?${query}`, { body, timeoutMs: BUILD_SILENCE_MS });
  const error = streamError(text) ?? (status === 200 ? undefined : refusal(text));
  const image = error ? undefined : await inspectImage(place, tag);
  if (image) return image.Id;
  const output = readable(text);
  const log = saveLog(`image ${name}`, output);
  throw new StepFailure(
    `Building the image of workload "${name}" failed: ${error ?? 'no image came of it'}\n${lastLines(output.trimEnd(), 10)}\n(whole output: ${log})`,
    'Most often the package mirror was away or the disk is full (docker system df): put that right and run the command again.',
  );
}

/**
 * @param {string} text the engine's progress lines
 * @returns {string}
 */
function readable(text) {
  return text
    .split('\n')
    .map((line) => {
      try {
        const message = JSON.parse(line);
        return message.stream ?? (message.error ? `${message.error}\n` : '');
      } catch {
        return '';
      }
    })
    .join('');
}
