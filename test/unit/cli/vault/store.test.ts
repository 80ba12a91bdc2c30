import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { appendFile, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { OwnerKey } from '../../../../cli/vault/keys.ts';
import type { Place } from '../../../../cli/vault/places.ts';
import { repair } from '../../../../cli/vault/repair.ts';
import { sha256 } from '../../../../cli/vault/tokens.ts';
import { answersCommitment, auditAnswer } from '../../../../core/audit.ts';
import { fromHex } from '../../../../core/keccak.ts';
import { type Hex32, ZERO_HASH } from '../../../../core/primitives.ts';
import { placeBytesOf, SEGMENT_BYTES, shapeOf } from '../../../../core/stored-file.ts';
import { SMALL_SHARDS, vaultStage } from '../../../support/vault.ts';

let stage: Awaited<ReturnType<typeof vaultStage>>;
beforeEach(async () => {
  stage = await vaultStage();
});
afterEach(async () => await stage.close());

/** Any six of them. */
function some(places: readonly Place[], count = 6): readonly Place[] {
  const left = [...places];
  return Array.from({ length: count }, () => left.splice(randomInt(left.length), 1)).flat();
}
const code = (name: string) => expect.objectContaining({ code: name });
/** Every token of every place is answered by what lies there. */
async function auditsPass(fileId: Hex32): Promise<boolean> {
  const ends: boolean[] = [];
  for (const place of stage.places.placesOf(fileId)) {
    const { shards = [], tokens = [] } = stage.places.sealed.get(place.agreementId) ?? {};
    const parts = await Promise.all(shards.map(({ hash }) => readFile(join(stage.places.folderOf(place), hash))));
    for (const { seed, commitment } of tokens) {
      const answer = auditAnswer(fromHex(seed), Buffer.concat(parts), sha256);
      ends.push(answersCommitment(answer, fromHex(commitment), sha256));
    }
  }
  return ends.length > 0 && !ends.includes(false);
}

const GROUP = 4096 * 10;
const EDGES = [
  0,
  1,
  1023,
  SEGMENT_BYTES - 1,
  SEGMENT_BYTES,
  SEGMENT_BYTES + 1,
  2 * SEGMENT_BYTES,
  GROUP - 16,
  GROUP - 15,
];
const RANDOM = Array.from({ length: 6 }, () => randomInt(400_000));

test.each([...EDGES, ...RANDOM])(
  '%d bytes come back from any ten of sixteen devices, and again after a repair',
  async (bytes) => {
    const content = await stage.write(bytes);
    const { fileId, healthy, name } = await stage.store();
    expect({ healthy, name }).toEqual({ healthy: 16, name: 'notes.txt' });
    expect(await auditsPass(fileId)).toBe(true);
    for (const place of some(stage.places.placesOf(fileId))) await stage.places.destroy(place);
    expect(content.equals(await stage.restore(fileId))).toBe(true);
    const { replaced } = await repair({ places: stage.places, fileId, tokensAPlace: 2 });
    expect(replaced).toBe(6);
    expect(await auditsPass(fileId)).toBe(true);
    for (const place of some(stage.places.placesOf(fileId))) await stage.places.destroy(place);
    expect(content.equals(await stage.restore(fileId))).toBe(true);
  },
);

test('it takes sixteen tenths of its size and no more', async () => {
  const bytes = 600_000;
  await stage.write(bytes);
  await stage.store();
  expect(await stage.places.keptBytes()).toBe(placeBytesOf(shapeOf(bytes, SMALL_SHARDS)) * 16);
  expect(await stage.places.keptBytes()).toBeLessThan(bytes * 1.65);
});

test('shards that rotted are replaced by others', async () => {
  const content = await stage.write(300_000);
  const { fileId } = await stage.store();
  const bad = some(stage.places.placesOf(fileId));
  for (const place of bad) await stage.places.corrupt(place);
  expect(content.equals(await stage.restore(fileId))).toBe(true);
  expect(await auditsPass(fileId)).toBe(false);
});

test('with seven of sixteen gone nothing appears', async () => {
  await stage.write(100_000);
  const { fileId } = await stage.store();
  for (const place of some(stage.places.placesOf(fileId), 7)) await stage.places.destroy(place);
  await expect(stage.restore(fileId)).rejects.toThrow(code('NOT_FOUND'));
  expect((await readdir(stage.root)).filter((name) => name.startsWith('restored'))).toEqual([]);
  await expect(repair({ places: stage.places, fileId })).rejects.toThrow(code('NOT_FOUND'));
});

test('another key reads nothing', async () => {
  await stage.write(1000);
  const { fileId } = await stage.store();
  const owner = new OwnerKey(`0x${'77'.repeat(32)}`);
  await expect(stage.restore(fileId, { owner })).rejects.toThrow(code('VAULT_UNREADABLE'));
});

test('devices and coordinator see neither the name nor the content', async () => {
  const secret = 'the treasure lies under the old oak. '.repeat(2000);
  await writeFile(stage.path, secret);
  const { fileId } = await stage.store();
  const found = await stage.places.find(fileId);
  const seen = [Buffer.from(found?.manifest ?? [])];
  for (const place of stage.places.placesOf(fileId)) {
    const folder = stage.places.folderOf(place);
    for (const name of await readdir(folder)) seen.push(Buffer.from(name), await readFile(join(folder, name)));
  }
  const all = Buffer.concat(seen).toString('latin1');
  expect(all.length).toBeGreaterThan(secret.length);
  for (const word of ['treasure', 'notes.txt', 'storedAt']) expect(all).not.toContain(word);
});

test('the same file twice has no shard in common', async () => {
  await stage.write(10_000);
  await stage.store();
  await stage.store();
  const hashes = [...stage.places.sealed.values()].flatMap(({ shards }) => shards.map(({ hash }) => hash));
  expect(new Set(hashes).size).toBe(32);
});

/** The network fails for good at the `at`-th put. */
function interruptAt(at: number): void {
  let seen = 0;
  stage.places.before = (what) => {
    if (what === 'put' && seen++ >= at) throw new Error('the line is cut');
  };
}

test.each([0, 1, 17, 100, 120])('a store that ends after %d shards goes on where it was', async (at) => {
  const content = await stage.write(400_000);
  interruptAt(at);
  await expect(stage.store()).rejects.toThrow(code('REFUSED'));
  const [before] = stage.places.fileIds;
  stage.places.before = () => undefined;
  const { fileId, healthy } = await stage.store();
  expect({ fileId, healthy }).toEqual({ fileId: before, healthy: 16 });
  const { groups } = shapeOf(400_000, SMALL_SHARDS);
  expect(stage.places.puts).toBe(groups * 16);
  expect(await auditsPass(fileId)).toBe(true);
  expect(content.equals(await stage.restore(fileId))).toBe(true);
  expect(await readdir(stage.journals)).toEqual([]);
});

test('a line of the journal that was torn by a power cut does not matter', async () => {
  const content = await stage.write(200_000);
  interruptAt(30);
  await expect(stage.store()).rejects.toThrow(code('REFUSED'));
  const [journal = ''] = await readdir(stage.journals);
  await appendFile(join(stage.journals, journal), '{"kind":"put","group":1,"agre');
  stage.places.before = () => undefined;
  const { fileId } = await stage.store();
  expect(content.equals(await stage.restore(fileId))).toBe(true);
});

test('a store that ends after everything was sealed is finished by the next', async () => {
  const content = await stage.write(50_000);
  const { keep } = stage.places;
  const cut = async () => {
    throw new Error('the line is cut');
  };
  await expect(stage.store({ places: { ...stage.places, keep: cut } })).rejects.toThrow('cut');
  let seals = 0;
  const counting = async () => {
    seals += 1;
  };
  const { fileId } = await stage.store({ places: { ...stage.places, keep, seal: counting } });
  expect(seals).toBe(0);
  expect(content.equals(await stage.restore(fileId))).toBe(true);
});

test('a file that changed since begins anew, and what was sent of the old one is dropped', async () => {
  await stage.write(200_000);
  interruptAt(30);
  await expect(stage.store()).rejects.toThrow(code('REFUSED'));
  const before = stage.places.fileIds;
  stage.places.before = () => undefined;
  const content = await stage.write(200_000);
  const { fileId } = await stage.store();
  expect(before).not.toContain(fileId);
  expect(stage.places.fileIds).toEqual([fileId]);
  expect(content.equals(await stage.restore(fileId))).toBe(true);
});

test('a file that changed and looks the same is never encrypted again under the same nonces', async () => {
  await stage.write(200_000);
  const { atime, mtime } = await stat(stage.path);
  const settled = new Date(Math.floor(mtime.getTime() / 1000) * 1000);
  await utimes(stage.path, atime, settled);
  interruptAt(30);
  await expect(stage.store()).rejects.toThrow(code('REFUSED'));
  const sent = stage.places.puts;
  await stage.write(200_000);
  await utimes(stage.path, atime, settled);
  stage.places.before = () => undefined;
  await expect(stage.store()).rejects.toThrow(code('CONFLICT'));
  expect(stage.places.puts).toBe(sent);
  expect(stage.places.fileIds).toEqual([]);
  expect((await stage.store()).healthy).toBe(16);
});

test.each([
  ['longer', (content: Buffer) => Buffer.concat([content, content])],
  ['shorter', (content: Buffer) => content.subarray(1000)],
])('a file that becomes %s while it is stored is not stored', async (_what, change) => {
  const content = await stage.write(3_000_000);
  let changed = false;
  const progress = (): void => {
    if (!changed) writeFileSync(stage.path, change(content));
    changed = true;
  };
  await expect(stage.store({ progress })).rejects.toThrow(code('CONFLICT'));
  expect(stage.places.fileIds).toEqual([]);
});

test('two processes do not store one file at once', async () => {
  await stage.write(200_000);
  const ends = await Promise.allSettled([stage.store(), stage.store()]);
  expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
});

test('a device that fails on the way is replaced at the end', async () => {
  const content = await stage.write(300_000);
  const broken = new Set<string>();
  let puts = 0;
  stage.places.before = (what, { device, index }) => {
    puts += 1;
    if (what === 'put' && puts > 40 && broken.size < 3 && index < 3) broken.add(device);
    if (broken.has(device)) throw new Error('the device is gone');
  };
  const { fileId, healthy } = await stage.store();
  expect(broken.size).toBe(3);
  expect(healthy).toBe(16);
  expect(stage.places.placesOf(fileId).filter(({ device }) => broken.has(device))).toEqual([]);
  expect(await auditsPass(fileId)).toBe(true);
  for (const place of some(stage.places.placesOf(fileId))) await stage.places.destroy(place);
  expect(content.equals(await stage.restore(fileId))).toBe(true);
});

test('what is not stored on enough devices is not stored', async () => {
  await stage.write(100_000);
  stage.places.before = (_what, { index }) => {
    if (index < 4) throw new Error('the device is gone');
  };
  await expect(stage.store()).rejects.toThrow(code('REFUSED'));
  expect(stage.places.sealed.size).toBe(0);
});

test('a network that offers one device twice is refused', async () => {
  await stage.write(100);
  const offer: typeof stage.places.offer = async (file) => {
    const places = await stage.places.offer(file);
    return places.map((place) => ({ ...place, device: places[0]?.device ?? place.device }));
  };
  await expect(stage.store({ places: { ...stage.places, offer } })).rejects.toThrow(code('REFUSED'));
});

test('a stop is heard', async () => {
  await stage.write(300_000);
  const stop = new AbortController();
  const stopping = stage.store({ signal: stop.signal, progress: () => stop.abort(new Error('stopped')) });
  await expect(stopping).rejects.toThrow('stopped');
  const { fileId } = await stage.store();
  const restoring = stage.restore(fileId, { signal: stop.signal });
  await expect(restoring).rejects.toThrow('stopped');
});

test('a file that is there is not replaced unless that was said', async () => {
  await stage.write(100);
  const { fileId } = await stage.store();
  await writeFile(stage.output, 'mine');
  await expect(stage.restore(fileId, { overwrite: false })).rejects.toThrow(code('CONFLICT'));
  expect(await readFile(stage.output, 'utf8')).toBe('mine');
});

test('what cannot be stored is said', async () => {
  await expect(stage.store()).rejects.toThrow(code('NOT_FOUND'));
  await expect(stage.store({ path: stage.root })).rejects.toThrow(code('BAD_INPUT'));
  await expect(repair({ places: stage.places, fileId: ZERO_HASH })).rejects.toThrow(code('NOT_FOUND'));
});
