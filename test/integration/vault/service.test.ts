import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { vaultDoor } from '../../../agent/vault-door.ts';
import { auditAnswer } from '../../../core/audit.ts';
import { fromHex, sha256, toHex } from '../../../core/keccak.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import { readAll } from '../../support/edge.ts';
import { randomHex32 } from '../../support/random.ts';
import { serviceProcess } from '../../support/service-process.ts';
import { until } from '../../support/wait.ts';

const KIB = 1024;
const RULE = { blocks: 512, blockBytes: KIB };
let folder = '';
let started: ReturnType<typeof serviceProcess>[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'idlemesh-vault-'));
});
afterEach(async () => {
  for (const one of started) await one.kill();
  started = [];
  await rm(folder, { recursive: true, force: true });
});

/** The vault over the test's folder. */
async function open(quotaBytes = 64 * KIB * KIB, env: Readonly<Record<string, string>> = {}) {
  const one = serviceProcess('vault', { VAULT_FOLDER: folder, ...env });
  started.push(one);
  const door = vaultDoor(one.service);
  await door.resize(quotaBytes);
  return { ...one, door };
}
type Door = Awaited<ReturnType<typeof open>>['door'];

const shardOf = (data: Uint8Array) => ({ hash: toHex(sha256(data)) as Hex32, bytes: data.length });
async function* pieces(data: Uint8Array, most = 10_000) {
  for (let at = 0; at < data.length; at += most) yield data.subarray(at, at + most);
}
const put = (door: Door, data: Uint8Array) => door.put(shardOf(data), pieces(data));
const pathOf = (hash: Hex32) => join(folder, 'shards', hash.slice(2, 4), hash.slice(2));

test('what is put is listed, counted, given back and removed', async () => {
  const { door } = await open();
  const [a, b] = [randomBytes(200 * KIB + 3), randomBytes(1)];
  await put(door, a);
  await put(door, b);
  await put(door, a);
  expect(await door.usage()).toMatchObject({ usedBytes: a.length + 1, shards: 2, corrupt: 0 });
  expect(new Set(await door.list())).toEqual(new Set([shardOf(a), shardOf(b)]));
  expect((await readAll(await door.get(shardOf(a)))).equals(a)).toBe(true);
  await door.remove(shardOf(a).hash);
  await door.remove(shardOf(a).hash);
  await expect(door.get(shardOf(a))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(await door.usage()).toMatchObject({ usedBytes: 1, shards: 1 });
});

test('more shards than one list names are all listed', async () => {
  for (let at = 0; at < 2_100; at++) {
    const data = Buffer.from(`shard ${at}`);
    const path = pathOf(shardOf(data).hash);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, data);
  }
  const { door } = await open();
  const hashes = (await door.list()).map(({ hash }) => hash);
  expect(new Set(hashes).size).toBe(2_100);
  expect(hashes).toHaveLength(2_100);
});

test('it takes only the bytes that the name stands for, and leaves nothing of others', async () => {
  const { door } = await open();
  const data = randomBytes(50 * KIB);
  const shard = shardOf(data);
  await expect(door.put(shard, pieces(randomBytes(50 * KIB)))).rejects.toMatchObject({ code: 'BAD_INPUT' });
  await expect(door.put({ ...shard, bytes: 17 * KIB * KIB }, pieces(data))).rejects.toMatchObject({
    code: 'BAD_INPUT',
  });
  expect(await door.usage()).toMatchObject({ usedBytes: 0, shards: 0 });
  expect(await readdir(join(folder, 'incoming'))).toEqual([]);
});

test('beyond its quota it takes nothing, also of many at once, and a smaller quota throws nothing away', async () => {
  const { door } = await open(100 * KIB);
  const all = Array.from({ length: 8 }, () => randomBytes(40 * KIB));
  const results = await Promise.allSettled(all.map((data) => put(door, data)));
  const refused = results.filter(({ status }) => status === 'rejected');
  expect(refused).toHaveLength(6);
  expect(refused).toMatchObject(Array.from({ length: 6 }, () => ({ reason: { code: 'DISK_FULL' } })));
  expect(await door.resize(0)).toMatchObject({ usedBytes: 80 * KIB, quotaBytes: 0, shards: 2 });
  expect(await door.list()).toHaveLength(2);
  await expect(put(door, randomBytes(1))).rejects.toMatchObject({ code: 'DISK_FULL' });
});

test('what was acknowledged is there after kill -9 in the middle of others, and nothing torn is', async () => {
  const acknowledged = new Map<Hex32, Buffer>();
  for (let life = 0; life < 6; life++) {
    const { door, kill } = await open();
    const puts = Array.from({ length: 24 }, async () => {
      const data = randomBytes(100 * KIB);
      await put(door, data);
      acknowledged.set(shardOf(data).hash, data);
    });
    const before = acknowledged.size;
    await until('some are on disk', async () => acknowledged.size >= before + 1 + life);
    await kill();
    await Promise.allSettled(puts);
  }
  const { door } = await open();
  expect(acknowledged.size).toBeGreaterThan(6);
  for (const shard of await door.list()) {
    const data = await readAll(await door.get(shard));
    expect(shardOf(data)).toEqual(shard);
    acknowledged.delete(shard.hash);
  }
  expect([...acknowledged.keys()]).toEqual([]);
  expect(await readdir(join(folder, 'incoming'))).toEqual([]);
});

test('an audit is answered as whoever owns the data would answer it, and not without all of it', async () => {
  const { door } = await open();
  const parts = Array.from({ length: 5 }, () => randomBytes(300 * KIB + 5));
  for (const part of parts) await put(door, part);
  const seed = randomHex32();
  const question = { shards: parts.map(shardOf), seed, ...RULE };
  expect(await door.audit(question)).toBe(toHex(auditAnswer(fromHex(seed), Buffer.concat(parts), sha256, RULE)));
  const [, second] = question.shards;
  if (second !== undefined) await door.remove(second.hash);
  await expect(door.audit(question)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('it finds by itself what has rotted, and says so', async () => {
  const data = randomBytes(64 * KIB);
  const first = await open();
  await put(first.door, data);
  await put(first.door, randomBytes(KIB));
  await first.close();
  const { hash, bytes } = shardOf(data);
  await writeFile(pathOf(hash), data.fill(0, 100, 101));
  const { door } = await open(undefined, { VAULT_SCRUB_BYTES: '100000000' });
  await until('it is found', async () => (await door.usage()).corrupt === 1);
  await expect(door.get({ hash, bytes })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(await door.usage()).toMatchObject({ shards: 1, usedBytes: KIB });
});
