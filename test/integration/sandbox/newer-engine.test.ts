import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerImages } from '../../../agent/adapters/docker-images.ts';
import { nameOf } from '../../../agent/image-ports.ts';
import type { PullSource } from '../../../core/catalogue.ts';
import { callEngine } from '../../../scripts/lib/engine.mjs';
import { newerEngine } from '../../../scripts/lib/newer-engine.mjs';
import { type DeedStage, deedStage, failureOf, MIB } from '../../support/deed.ts';
import { type Registry, startRegistry } from '../../support/registry.ts';
import { SecondEngine } from '../../support/second-engine.ts';
import { doorImage } from '../../support/transcode.ts';

/** An engine as they are installed today: newer, and with containerd's image store, where an image has another name. */
let engine: SecondEngine;
let stage: DeedStage;
let registry: Registry;
let door: string;
/** Content, and what this engine calls it. */
const named: { readonly image: string; readonly pull: PullSource }[] = [];
const DONE = `echo '{"done":true}' >&2`;
const quiet = { signal: new AbortController().signal, onProgress: () => undefined };

async function idHere(name: string): Promise<string> {
  const place = { url: `unix://${engine.socketPath}`, socketPath: engine.socketPath };
  const { text } = await callEngine(place, 'GET', `/images/${encodeURIComponent(name)}/json`);
  return (JSON.parse(text) as { readonly Id: string }).Id;
}

beforeAll(async () => {
  const plain = await deedStage();
  await plain.close();
  engine = new SecondEngine({ programs: await newerEngine(), features: { 'containerd-snapshotter': true } });
  await engine.start();
  door = await doorImage();
  await engine.take('idlemesh/test-deed:0.1.0', 'idlemesh/door:0.1.0');
  for (const [image, tag] of [
    [plain.image, 'idlemesh/test-deed:0.1.0'],
    [door, 'idlemesh/door:0.1.0'],
  ] as const) {
    named.push({ image, pull: { repository: 'registry.test/one', digest: await idHere(tag), bytes: 1 } });
  }
  stage = await deedStage({ socketPath: engine.socketPath });
  registry = await startRegistry({ beside: engine.beside });
}, 300_000);
afterAll(async () => {
  await registry?.close();
  await stage?.close();
  await engine?.close();
}, 60_000);

test('is fit for work, and holds images in containerd’s store', async () => {
  expect(await stage.containers.check()).toMatchObject({ kind: 'ready' });
  for (const { image, pull } of named) expect(pull.digest).not.toBe(image);
});

test('an image is found by the digest that the catalogue pins beside its content, and not before it does', async () => {
  for (const { image } of named) expect(await stage.containers.hasImage(image)).toBe(false);
  expect(failureOf(await stage.run({ script: DONE }))).toContain('does not hold');
  stage.containers.knows(named);
  for (const { image } of named) expect(await stage.containers.hasImage(image)).toBe(true);
}, 30_000);

describe('a job', () => {
  test('runs, with its input and its output', async () => {
    const input = Buffer.alloc(3 * MIB, 'input');
    const { ending, output } = await stage.run({ script: `head -c ${input.length}; ${DONE}`, input });
    expect(ending).toMatchObject({ kind: 'finished' });
    expect(output?.equals(input)).toBe(true);
  }, 60_000);
  test('that takes too much memory is ended', async () => {
    const script = `perl -e 'push @all, "x" x (1 << 20) while 1'`;
    expect(failureOf(await stage.run({ script }))).toContain('memory');
  }, 60_000);
  test('that takes too long is ended', async () => {
    expect(failureOf(await stage.run({ script: 'sleep 600', limits: { seconds: 2 } }))).toBe('it took longer than 2 s');
  }, 60_000);
  test('sees no network, and no more rights than it was given', async () => {
    const script = `cat /proc/net/dev | grep -c : >&2; grep CapEff /proc/self/status >&2; touch /usr/x >&2; exit 1`;
    const said = failureOf(await stage.run({ script }));
    expect(said).toContain('CapEff: 0000000000000000');
    expect(said).toContain('Read-only file system');
  }, 60_000);
  test('leaves nothing', async () => {
    expect(await stage.left()).toEqual([]);
  });
});

describe('an image by its digest', () => {
  const images = () =>
    dockerImages({ log: () => undefined, socketPath: engine.socketPath, credentials: async () => null });

  test('comes, runs nowhere else, and goes', async () => {
    const image = await registry.serve({ layerBytes: [2 * MIB, MIB] });
    const source = { repository: image.repository, digest: image.digest, bytes: image.bytes };
    const ids = [image.image, image.digest];
    let last = 0;
    const held = await images().pull(source, ids, {
      ...quiet,
      onProgress: ({ downloadedBytes }) => {
        last = downloadedBytes;
      },
    });
    expect(held).toMatchObject({ id: image.digest });
    expect(last).toBe(image.bytes);
    stage.containers.knows([{ image: image.image, pull: source }]);
    expect(await stage.containers.hasImage(image.image)).toBe(true);
    expect(await images().find(nameOf(image))).toEqual(held);
    expect(await images().remove(image)).toBe('removed');
    expect(await stage.containers.hasImage(image.image)).toBe(false);
  }, 60_000);

  test('is refused when one byte of a layer differs, when it is another than the catalogue names, and when it may not run', async () => {
    const bad = await registry.serve({ layerBytes: [MIB, MIB] });
    await registry.tamper(bad.layers[1] ?? '');
    await expect(images().pull(bad, [bad.image, bad.digest], quiet)).rejects.toMatchObject({ code: 'REFUSED' });
    const other = await registry.serve();
    await expect(images().pull(other, [bad.image, bad.digest], quiet)).rejects.toMatchObject({ code: 'REFUSED' });
    const wants = await registry.serve({ config: { Volumes: { '/data': {} } } });
    await expect(images().pull(wants, [wants.image, wants.digest], quiet)).rejects.toMatchObject({ code: 'REFUSED' });
    for (const image of [bad, other, wants]) expect(await images().find(nameOf(image))).toBeNull();
  }, 60_000);
});
