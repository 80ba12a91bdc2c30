import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { isSignedBy } from '../../../agent/signatures.ts';
import { AUDIT, auditAnswer } from '../../../core/audit.ts';
import type { CatalogueEntry } from '../../../core/catalogue.ts';
import { fromHex, sha256, toHex } from '../../../core/keccak.ts';
import type { Address, Hex32 } from '../../../core/primitives.ts';
import { shardsHash } from '../../../core/storage-terms.ts';
import type { NetworkInfo } from '../../../core/wire.ts';
import type { AgreementTerms } from '../../../core/wire-storage.ts';
import { readAll } from '../../support/edge.ts';
import { randomAddress, randomHex32 } from '../../support/random.ts';
import { agreementOf, OFF, randomShards, shardOf, storageStage } from '../../support/storage-lane.ts';
import { TEST_NETWORK, vaultEntry } from '../../support/vault-entry.ts';
import { until } from '../../support/wait.ts';

const GIB = 1024 ** 3;
const consumer = randomAddress();
let network: NetworkInfo;
let entry: CatalogueEntry;
let stage: Awaited<ReturnType<typeof storageStage>>;
beforeAll(() => {
  network = TEST_NETWORK;
  entry = vaultEntry();
});
beforeEach(async () => {
  stage = await storageStage(network, entry);
});
afterEach(() => stage.close());

async function up(): Promise<void> {
  stage.rule();
  await until('it serves', () => stage.lane().routes() !== null);
}
const level = (agreements: readonly AgreementTerms[], repairers: readonly Address[] = []) =>
  stage.lane().heard({ type: 'agreements', agreements: [...agreements], last: true, repairers: [...repairers] });
const get = async (who: Address, { agreementId }: AgreementTerms, hash: Hex32) => {
  const { body } = await stage.ask(who, 'GET', `/v1/shards/${hash}`, {
    headers: { 'idlemesh-agreement': agreementId },
  });
  if (body === undefined || body instanceof Uint8Array) throw new Error('it has no body that streams');
  return await readAll(body);
};
async function sealed(count = 3) {
  const terms = agreementOf(consumer);
  stage.lane().heard({ type: 'agreement', agreement: terms });
  const shards = randomShards(count);
  for (const shard of shards) await stage.put(consumer, terms, shard);
  const answer = await stage.seal(consumer, terms, shards.map(shardOf));
  return { terms, shards, said: JSON.parse(Buffer.from(answer.body as Uint8Array).toString('utf8')) };
}
const offers = () => stage.sent.flatMap((message) => (message.type === 'storage-offer' ? [message.offer] : []));
const answers = () => stage.sent.flatMap((message) => (message.type === 'audit-answer' ? [message] : []));
function audit(agreementId: Hex32, answerBy = Date.now() + 60_000) {
  const asked = { auditId: randomHex32(), agreementId, seed: randomHex32(), answerBy };
  stage.lane().heard({ type: 'audit', ...asked });
  return asked;
}

test('what a device signs for is on its disk, and it can prove that and give it back', async () => {
  await up();
  level([]);
  const { terms, shards, said } = await sealed();
  const listed = shards.map(shardOf);
  expect(said.value).toMatchObject({ agreementId: terms.agreementId, device: stage.key.address });
  expect(said.value).toMatchObject({ shardsHash: shardsHash(listed), bytes: 3 * 64 * 1024 });
  expect(isSignedBy(network, stage.key.address, 'Kept', said.value, said.signature)).toBe(true);
  expect((await get(consumer, terms, listed[1]?.hash ?? '0x')).equals(shards[1] ?? Buffer.of())).toBe(true);

  const { auditId, seed } = audit(terms.agreementId);
  await until('it answers', () => answers().length === 1);
  const right = toHex(auditAnswer(fromHex(seed), Buffer.concat(shards), sha256, AUDIT));
  expect(answers()[0]).toEqual({ type: 'audit-answer', auditId, answer: right });
});

test('after kill -9 it still knows what it signed for, and signs the same for the same', async () => {
  await up();
  level([]);
  const { terms, shards, said } = await sealed();
  await stage.restart();
  await until('it serves', () => stage.lane().routes() !== null);
  level([{ ...terms, sealed: true }]);
  const again = await stage.seal(consumer, terms, shards.map(shardOf));
  expect(JSON.parse(Buffer.from(again.body as Uint8Array).toString('utf8'))).toEqual(said);
  await expect(stage.seal(consumer, terms, [shardOf(shards[0] ?? Buffer.of())])).rejects.toMatchObject({
    code: 'CONFLICT',
  });
  audit(terms.agreementId);
  await until('it answers', () => answers().length === 1);
  expect(answers()[0]?.answer).not.toBeNull();
});

test('nobody else gets at it, nothing comes beyond what was agreed, and nothing is signed for that is not there', async () => {
  await up();
  const [repairer, stranger] = [randomAddress(), randomAddress()];
  level([], [repairer]);
  const terms = agreementOf(consumer, { bytes: 128 * 1024 });
  stage.lane().heard({ type: 'agreement', agreement: terms });
  const [a, b, c] = randomShards(3);
  if (a === undefined || b === undefined || c === undefined) throw new Error('three shards were made');
  await stage.put(consumer, terms, a);
  await expect(stage.put(stranger, terms, b)).rejects.toMatchObject({ code: 'UNAUTHORISED' });
  await expect(get(stranger, terms, shardOf(a).hash)).rejects.toMatchObject({ code: 'UNAUTHORISED' });
  expect((await get(repairer, terms, shardOf(a).hash)).equals(a)).toBe(true);
  await expect(stage.put(consumer, agreementOf(consumer), a)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await stage.put(consumer, terms, b);
  await expect(stage.put(consumer, terms, c)).rejects.toMatchObject({ code: 'REFUSED' });
  await stage.put(consumer, terms, a);
  await expect(stage.seal(consumer, terms, [a, c].map(shardOf))).rejects.toMatchObject({ code: 'BAD_INPUT' });
  await stage.seal(consumer, terms, [a, b].map(shardOf));
  await expect(stage.put(consumer, terms, c)).rejects.toMatchObject({ code: 'CONFLICT' });
});

test('what an agreement that is over kept is removed, and nothing of any other', async () => {
  await up();
  level([]);
  const one = await sealed();
  const two = await sealed();
  const three = await sealed();
  const used = (): unknown => stage.lane().facts().usedBytes;
  await until('it counts', () => used() === 9 * 64 * 1024);
  stage.lane().heard({ type: 'agreement-ended', agreementId: one.terms.agreementId, why: 'dropped' });
  await until('the first is gone', () => used() === 6 * 64 * 1024);
  // While it was away the third has ended.
  await stage.restart();
  await until('it serves', () => stage.lane().routes() !== null);
  level([{ ...two.terms, sealed: true }]);
  await until('the third is gone', () => used() === 3 * 64 * 1024);
  expect((await get(consumer, two.terms, shardOf(two.shards[0] ?? Buffer.of()).hash)).length).toBe(64 * 1024);
  expect(await readdir(join(stage.folder, 'agreements'))).toEqual([`${two.terms.agreementId.slice(2)}.json`]);
  expect(three.said.value.agreementId).toBe(three.terms.agreementId);
});

test('a device that has forgotten what it signed for removes nothing, and says so when it is asked', async () => {
  await up();
  level([]);
  const { terms } = await sealed();
  await rm(join(stage.folder, 'agreements', `${terms.agreementId.slice(2)}.json`));
  await stage.restart();
  await until('it serves', () => stage.lane().routes() !== null);
  level([{ ...terms, sealed: true }]);
  audit(terms.agreementId);
  await until('it answers', () => answers().length === 1);
  expect(answers()[0]?.answer).toBeNull();
  await until('it counts', () => stage.lane().facts().usedBytes === 3 * 64 * 1024);
});

test('an audit waits for a vault that is starting, and one of spoilt data is not answered with a lie', async () => {
  await up();
  level([]);
  const { terms, shards } = await sealed();
  await stage.restart();
  level([{ ...terms, sealed: true }]);
  audit(terms.agreementId);
  await until('it answers', () => answers().length === 1);
  expect(answers()[0]?.answer).not.toBeNull();

  const { hash } = shardOf(shards[0] ?? Buffer.of());
  await rm(join(stage.folder, 'vault/shards', hash.slice(2, 4), hash.slice(2)));
  audit(terms.agreementId);
  await until('it answers again', () => answers().length === 2);
  expect(answers()[1]?.answer).toBeNull();
});

test('it lends what the owner gives and the drive has, and switched off it stays until all has gone elsewhere', async () => {
  await up();
  level([]);
  await until('it offers', () => offers().at(-1)?.lentBytes === 50 * GIB);
  stage.drive(30 * GIB);
  stage.rule(undefined, { limits: { storage: { minFreeGiB: 25 } } });
  await until('it offers less', () => offers().at(-1)?.lentBytes === 5 * GIB);

  const { terms } = await sealed();
  stage.rule(OFF, { lanes: { storage: { share: 'never' } } });
  await until('it leaves', () => offers().at(-1)?.lentBytes === 0);
  expect(stage.lane().routes()).not.toBeNull();
  stage.lane().heard({ type: 'agreement-ended', agreementId: terms.agreementId, why: 'moved' });
  await until('all is gone', () => stage.lane().facts().usedBytes === 0);
  stage.rule(OFF);
  await until('it is over', () => stage.lane().routes() === null);
});

test('a record that was damaged is left alone, and the others are answered for', async () => {
  await up();
  level([]);
  const { terms } = await sealed();
  const damaged = join(stage.folder, 'agreements', `${'ab'.repeat(32)}.json`);
  await writeFile(damaged, '{"version":1');
  await stage.restart();
  await until('it serves', () => stage.lane().routes() !== null);
  level([{ ...terms, sealed: true }]);
  audit(terms.agreementId);
  await until('it answers', () => answers().length === 1);
  expect(answers()[0]?.answer).not.toBeNull();
  expect(await readdir(join(stage.folder, 'agreements'))).toContain(`${'ab'.repeat(32)}.json`);
});
