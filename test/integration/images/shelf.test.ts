import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { dockerImages } from '../../../agent/adapters/docker-images.ts';
import { imageRecordFile } from '../../../agent/adapters/image-record.ts';
import { nameOf } from '../../../agent/image-ports.ts';
import { createImageShelf, type ImageShelf } from '../../../agent/image-shelf.ts';
import { engine } from '../../e2e/support/engine.ts';
import { type Registry, type Served, startRegistry } from '../../support/registry.ts';

const MIB = 1024 * 1024;
const images = dockerImages({ log: () => undefined, credentials: async () => null });
const quiet = { signal: new AbortController().signal, onProgress: () => undefined };
let registry: Registry;
let folder: string;
let now: number;
let shelf: ImageShelf;
let busy: Set<string>;
const made: string[] = [];

const opened = (): ImageShelf =>
  createImageShelf({
    ...{ images, log: () => undefined, imageRecord: imageRecordFile(join(folder, 'images.json')) },
    clock: { now: () => now, utcOffsetMinutes: () => 0, timeZone: () => 'UTC', after: () => () => undefined },
    busy: () => busy,
  });

beforeAll(async () => {
  registry = await startRegistry();
});
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'idlemesh-shelf-'));
  now = 1_000_000;
  busy = new Set();
  shelf = opened();
  await shelf.load();
});
afterEach(async () => {
  for (const name of made.splice(0))
    await engine
      .getImage(name)
      .remove()
      .catch(() => undefined);
  rmSync(folder, { recursive: true, force: true });
});
afterAll(() => registry.close());

/** One MiB each; each is used a moment after the one before. */
async function fetched(): Promise<Served> {
  const image = await registry.serve({ layerBytes: [MIB] });
  made.push(nameOf(image));
  now += 1000;
  await shelf.note({ repository: image.repository, digest: image.digest, image: image.image });
  const held = await images.pull(image, [image.image], quiet);
  shelf.sized(image.image, held.bytes);
  return image;
}
const stands = async (list: readonly Served[]) =>
  Promise.all(list.map(async ({ image }) => (await images.find(image)) !== null));
const need = (named: readonly Served[], budgetBytes: number, wanted = named) => ({
  ...{
    named: new Set(named.map(({ image }) => image)),
    wanted: new Set(wanted.map(({ image }) => image)),
    budgetBytes,
  },
});

test('what the catalogue no longer names goes, and the longest unused beyond the budget; never what is used', async () => {
  const [old, first, second, third] = [await fetched(), await fetched(), await fetched(), await fetched()];
  expect(shelf.usedBytes()).toBe(4 * MIB);
  expect(await shelf.tidy(need([first, second, third], 3 * MIB))).toEqual([old.image]);
  expect(await stands([old, first, second, third])).toEqual([false, true, true, true]);
  busy.add(first.image);
  const container = await engine.createContainer({ Image: second.image, Cmd: ['/file-0'] });
  try {
    // Work runs on the first, a container has the second, so the third goes, and there is still too much.
    expect(await shelf.tidy(need([first, second, third], MIB))).toEqual([third.image]);
    expect(await stands([first, second, third])).toEqual([true, true, false]);
  } finally {
    await container.remove();
  }
  expect(await shelf.tidy(need([first, second, third], MIB))).toEqual([second.image]);
  expect(await stands([first, second])).toEqual([true, false]);
});

test('an image that the owner had, or has named since, stays, and so do others of the same repository', async () => {
  const before = await registry.serve({ layerBytes: [MIB] });
  made.push(nameOf(before));
  await images.pull(before, [before.image], quiet);
  const tagged = await fetched();
  const tag = `idlemesh-shelf-test:${tagged.image.slice(7, 19)}`;
  made.push(tag);
  await engine.getImage(tagged.image).tag({ repo: 'idlemesh-shelf-test', tag: tagged.image.slice(7, 19) });
  await shelf.tidy(need([], 0));
  expect(await images.find(before.image)).toMatchObject({ names: [nameOf(before)] });
  expect(await images.find(tagged.image)).toMatchObject({ names: [tag] });
  expect(shelf.has(tagged.image)).toBe(false);
  await shelf.tidy(need([], 0));
  expect(await stands([before, tagged])).toEqual([true, true]);
});

test('an image that the owner builds on stays for as long as that one does', async () => {
  const base = await fetched();
  const container = await engine.createContainer({ Image: base.image, Cmd: ['/file-0'] });
  const own = `idlemesh-shelf-test:own-${base.image.slice(7, 19)}`;
  await container.commit({ repo: 'idlemesh-shelf-test', tag: own.split(':')[1] });
  await container.remove();
  await shelf.tidy(need([], 0));
  expect(await stands([base])).toEqual([true]);
  await engine.getImage(own).remove();
  await shelf.tidy(need([], 0));
  expect(await stands([base])).toEqual([false]);
});

test('the record outlives the process; where it is damaged, nothing is ours any more', async () => {
  const one = await fetched();
  const next = opened();
  await next.load();
  expect(next.has(one.image)).toBe(true);
  const path = join(folder, 'images.json');
  await writeFile(path, (await readFile(path, 'utf8')).slice(0, -10));
  const damaged = opened();
  await damaged.load();
  expect(damaged.has(one.image)).toBe(false);
  await damaged.tidy(need([], 0));
  expect(await stands([one])).toEqual([true]);
  await next.tidy(need([], 0));
  expect(await stands([one])).toEqual([false]);
});
