import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  listStored,
  removeFile,
  repairFile,
  restoreFile,
  storeFile,
  type VaultUse,
} from '../../../../cli/vault/commands.ts';
import { OwnerKey } from '../../../../cli/vault/keys.ts';
import { randomHex32 } from '../../../support/random.ts';
import { vaultStage } from '../../../support/vault.ts';

let stage: Awaited<ReturnType<typeof vaultStage>>;
let use: VaultUse;
let said: string[] = [];
beforeEach(async () => {
  stage = await vaultStage();
  said = [];
  const progressStream = new PassThrough().resume();
  use = { places: stage.places, owner: stage.owner, say: (line) => said.push(line), progressStream };
});
afterEach(async () => await stage.close());
const code = (name: string) => expect.objectContaining({ code: name });

test('a file is stored, listed, restored by its name and removed', async () => {
  const content = await stage.write(30_000);
  const { fileId } = await storeFile(use, stage.path, stage.journals, 7);
  expect(said.at(-1)).toBe(`notes.txt: 30000 bytes are stored on 16 devices, as ${fileId}`);
  const [listed, ...more] = await listStored(use);
  expect(more).toEqual([]);
  expect(listed).toMatchObject({ fileId, keptBytes: 49_152, availability: { healthy: 16, of: 16 } });
  expect(listed?.manifest).toMatchObject({ name: 'notes.txt', bytes: 30_000, storedAt: 7 });
  await restoreFile(use, 'notes.txt', stage.output);
  expect(content.equals(await readFile(stage.output))).toBe(true);
  await expect(restoreFile(use, fileId, stage.output)).rejects.toThrow(code('CONFLICT'));
  await restoreFile(use, fileId, stage.output, true);
  await removeFile(use, 'notes.txt');
  expect(await listStored(use)).toEqual([]);
  expect(said.at(-1)).toBe('nothing is stored');
  await expect(restoreFile(use, 'notes.txt', join(stage.root, 'other'))).rejects.toThrow(code('NOT_FOUND'));
});

test('of two files with one name, one is named by its id', async () => {
  await stage.write(100);
  const { fileId } = await stage.store({ now: 1 });
  const newer = await stage.store({ now: 2 });
  expect((await listStored(use)).map((file) => file.fileId)).toEqual([newer.fileId, fileId]);
  await expect(removeFile(use, 'notes.txt')).rejects.toThrow(code('BAD_INPUT'));
  await removeFile(use, fileId);
  expect((await listStored(use)).map((file) => file.fileId)).toEqual([newer.fileId]);
});

test("another's files are listed without their names, and can be removed", async () => {
  await stage.write(100);
  const { fileId } = await stage.store();
  const other = { ...use, owner: new OwnerKey(randomHex32()) };
  expect(await listStored(other)).toMatchObject([{ fileId, manifest: null }]);
  await expect(restoreFile(other, 'notes.txt', stage.output)).rejects.toThrow(code('NOT_FOUND'));
  await expect(restoreFile(other, fileId, stage.output)).rejects.toThrow(code('VAULT_UNREADABLE'));
  await removeFile(other, fileId);
});

test('a file is repaired once too few places are left', async () => {
  await stage.write(100);
  const { fileId } = await stage.store();
  const [first, second, third, fourth] = stage.places.placesOf(fileId);
  for (const place of [first, second, third]) if (place !== undefined) await stage.places.destroy(place);
  expect(await repairFile(use, fileId)).toBeNull();
  if (fourth !== undefined) await stage.places.destroy(fourth);
  expect(await repairFile(use, fileId)).toEqual({ replaced: 4, failed: 0, downBytes: 10 * 1024, upBytes: 4 * 1024 });
  expect(await repairFile(use, fileId)).toBeNull();
  await expect(repairFile(use, randomHex32())).rejects.toThrow(code('NOT_FOUND'));
});

test('a repair leaves a new place out that fails, and fills the others', async () => {
  await stage.write(100);
  const { fileId } = await stage.store();
  for (const place of stage.places.placesOf(fileId).slice(0, 4)) await stage.places.destroy(place);
  stage.places.before = (what, { index }) => {
    if (what === 'put' && index === 2) throw new Error('the device is gone');
  };
  expect(await repairFile(use, fileId)).toMatchObject({ replaced: 3, failed: 1 });
  expect((await stage.places.list())[0]?.availability).toEqual({ healthy: 15, of: 16 });
});
