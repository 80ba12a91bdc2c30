import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChunkOf, EdgeDoor } from '../../../agent/edge/door.ts';
import { CHUNK_BYTES } from '../../../core/content.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import { sha256 } from '../../support/device.ts';
import {
  contentOf,
  type EdgeProcess,
  edgeProcess,
  fill,
  inOne,
  readAll,
  type TestContent,
} from '../../support/edge.ts';
import { randomAddress, randomHex32 } from '../../support/random.ts';

const MIB = 1024 * 1024;
const publisher = randomAddress();

describe('the edge workload', () => {
  let folder: string;
  let edge: EdgeProcess;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'idlemesh-edge-'));
    edge = edgeProcess(folder);
    await edge.door.resize(64 * MIB);
  });
  afterEach(async () => {
    await edge.close();
    await rm(folder, { recursive: true, force: true });
  });

  const again = async (budget = 64 * MIB): Promise<EdgeDoor> => {
    edge = edgeProcess(folder);
    await edge.door.resize(budget);
    return edge.door;
  };
  const random = (files = 2, bytes = MIB + 5): TestContent =>
    contentOf(
      publisher,
      Object.fromEntries(Array.from({ length: files }, (_, at) => [`f${at}`, Uint8Array.from(randomBytes(bytes))])),
    );
  const partOf = ({ content }: TestContent, hash: Hex32): ChunkOf => ({ hash, content, publisher });
  const read = async (of: TestContent, hash: Hex32) => await readAll((await edge.door.get(partOf(of, hash))).body);
  const pathOf = (hash: Hex32) => join(folder, 'chunks', hash.slice(2, 4), hash.slice(2));
  const first = (of: TestContent): Hex32 => [...of.chunks.keys()][0] ?? randomHex32();

  it('gives back what it was given, and knows what it lacks', async () => {
    const of = random();
    const { door } = edge;
    const { content, manifest } = of;
    expect(await door.put(partOf(of, content), manifest.length, inOne(manifest))).toBe(true);
    expect([...(await door.missing(content, publisher))].sort()).toEqual([...of.chunks.keys()].sort());
    await fill(door, of);
    expect(await door.missing(content, publisher)).toEqual([]);
    for (const [hash, data] of of.chunks) expect(await read(of, hash)).toEqual(Buffer.from(data));
    expect(await read(of, content)).toEqual(Buffer.from(manifest));
    const bytes = manifest.length + 2 * (MIB + 5);
    expect(await door.usage()).toEqual({ usedBytes: bytes, budgetBytes: 64 * MIB, chunks: 5, evicted: 0, corrupt: 0 });
    expect(await door.put(partOf(of, content), manifest.length, inOne(manifest))).toBe(false);
    await door.remove(first(of));
    await expect(read(of, first(of))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('refuses what is not what it is called, and what belongs to nobody', async () => {
    const [of, other] = [random(), random()];
    await fill(edge.door, other);
    const { door } = edge;
    const put = (chunk: ChunkOf, data: Uint8Array, bytes = data.length) => door.put(chunk, bytes, inOne(data));
    const [hash] = of.chunks.keys();
    const data = of.chunks.get(first(of)) ?? new Uint8Array(1);
    if (hash === undefined) throw new Error('there is a chunk');
    // Not before its manifest.
    await expect(put(partOf(of, hash), data)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const { content, manifest } = of;
    const stranger = randomAddress();
    await expect(put({ hash: content, content, publisher: stranger }, manifest)).rejects.toMatchObject({
      code: 'REFUSED',
    });
    const junk = randomBytes(100);
    await expect(put({ hash: sha256(junk), content: sha256(junk), publisher }, junk)).rejects.toMatchObject({
      code: 'BAD_INPUT',
    });
    await put(partOf(of, content), manifest);
    await expect(put(partOf(of, hash), randomBytes(data.length))).rejects.toMatchObject({ code: 'BAD_INPUT' });
    await expect(put(partOf(of, hash), data, data.length - 1)).rejects.toMatchObject({ code: 'BAD_INPUT' });
    await expect(put(partOf(of, hash), new Uint8Array(CHUNK_BYTES + 1))).rejects.toMatchObject({ code: 'BAD_INPUT' });
    await expect(put(partOf(other, hash), data)).rejects.toMatchObject({ code: 'REFUSED' });
    await expect(door.get({ hash: first(other), content, publisher })).rejects.toMatchObject({ code: 'REFUSED' });
    await expect(door.get({ hash: first(other), content: other.content, publisher: stranger })).rejects.toMatchObject({
      code: 'REFUSED',
    });
    expect((await door.usage()).chunks).toBe(5 + 1);
    expect(await readdir(join(folder, 'incoming'))).toEqual([]);
  });

  it('stays within its budget, and keeps what is asked for', async () => {
    const of = random(12, MIB);
    const { door } = edge;
    await door.resize(8 * MIB);
    const { content, manifest } = of;
    await door.put(partOf(of, content), manifest.length, inOne(manifest));
    const [liked, ...others] = [...of.chunks];
    if (liked === undefined) throw new Error('there is a chunk');
    await door.put(partOf(of, liked[0]), MIB, inOne(liked[1]));
    for (let hit = 0; hit < 3; hit++) await read(of, liked[0]);
    for (const [hash, data] of others) {
      await door.put(partOf(of, hash), MIB, inOne(data));
      expect((await door.usage()).usedBytes).toBeLessThanOrEqual(8 * MIB);
    }
    expect(await read(of, liked[0])).toEqual(Buffer.from(liked[1]));
    expect((await door.usage()).evicted).toBeGreaterThan(3);
    const less = await door.resize(2 * MIB);
    expect(less.usedBytes).toBeLessThanOrEqual(2 * MIB);
    // The list outlives what it lists.
    expect(await read(of, content)).toEqual(Buffer.from(manifest));
    expect(await read(of, liked[0])).toEqual(Buffer.from(liked[1]));
    await expect(
      door.put(partOf(of, first(of)), MIB, inOne(liked[1])).then(() => door.resize(10)),
    ).resolves.toMatchObject({ usedBytes: 0 });
    await expect(door.put(partOf(of, content), manifest.length, inOne(manifest))).rejects.toMatchObject({
      code: 'DISK_FULL',
    });
  });

  it('never gives all of a chunk that has rotted, and lets go of it', async () => {
    const of = random();
    await fill(edge.door, of);
    const hash = first(of);
    const bytes = await readFile(pathOf(hash));
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
    await writeFile(pathOf(hash), bytes);
    await expect(read(of, hash)).rejects.toMatchObject({ code: 'WORKLOAD_FAILED' });
    await expect(read(of, hash)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await edge.door.usage()).corrupt).toBe(1);
    expect(await edge.door.missing(of.content, publisher)).toEqual([hash]);
    await fill(edge.door, of);
    expect(await read(of, hash)).toEqual(Buffer.from(of.chunks.get(hash) ?? []));
  });

  it('has on disk what it acknowledged, and nothing torn, when it is killed', async () => {
    const of = random(30, MIB);
    const { content, manifest } = of;
    await edge.door.put(partOf(of, content), manifest.length, inOne(manifest));
    const acknowledged = new Set<Hex32>();
    const puts = [...of.chunks].map(async ([hash, data]) => {
      await edge.door.put(partOf(of, hash), MIB, inOne(data));
      acknowledged.add(hash);
      if (acknowledged.size === 7) await edge.kill();
    });
    await Promise.allSettled(puts);
    expect(acknowledged.size).toBeGreaterThanOrEqual(7);
    // As a kill between two steps leaves it.
    await writeFile(join(folder, 'incoming', 'torn'), 'half a chunk');
    const door = await again();
    const lacking = new Set(await door.missing(content, publisher));
    for (const hash of acknowledged) expect(lacking.has(hash)).toBe(false);
    for (const [hash, data] of of.chunks)
      if (!lacking.has(hash)) expect(await read(of, hash)).toEqual(Buffer.from(data));
    expect(await readdir(join(folder, 'incoming'))).toEqual([]);
  });

  it('remembers over a start what was popular', async () => {
    const of = random(6, MIB);
    await fill(edge.door, of);
    const [a, b, c] = [...of.chunks.keys()];
    for (const hash of [b, b, c, a]) await read(of, hash ?? randomHex32());
    await edge.close();
    const door = await again(3 * MIB + CHUNK_BYTES / 2);
    const lacking = await door.missing(of.content, publisher);
    expect([...of.chunks.keys()].filter((hash) => !lacking.includes(hash)).sort()).toEqual([a, b, c].sort());
  });
});
