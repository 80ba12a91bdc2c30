import { z } from 'zod';
import { amountColumn, type Db, one } from '../../coordinator/db.ts';
import { countBooks } from '../../coordinator/epochs.ts';
import { account, balanceOf, move, post } from '../../coordinator/ledger.ts';
import { drawAudits, type Judged, judgeAnswer } from '../../coordinator/storage/audits.ts';
import { endFile } from '../../coordinator/storage/ending.ts';
import { storeFile } from '../../coordinator/storage/files.ts';
import { noteSeen, stateStorage } from '../../coordinator/storage/offers.ts';
import { replacePlace } from '../../coordinator/storage/replacing.ts';
import { agreementsOfFile, lockAgreement, lockFile } from '../../coordinator/storage/rows.ts';
import { sealAgreement } from '../../coordinator/storage/sealing.ts';
import { rulesOf, type StorageOptions } from '../../coordinator/storage/terms.ts';
import { keepUp } from '../../coordinator/storage/upkeep.ts';
import { auditAnswer } from '../../core/audit.ts';
import { fail } from '../../core/errors.ts';
import { fromHex, toHex } from '../../core/keccak.ts';
import type { Address, Hex32, UnixMs } from '../../core/primitives.ts';
import { shardsHash } from '../../core/storage-terms.ts';
import { type FileShape, placeBytesOf, shardBytesAt } from '../../core/stored-file.ts';
import { domainOf } from '../../core/typed-data.ts';
import type { FileOffer, Place, Sealing } from '../../core/wire-storage.ts';
import { newAccount } from './chain.ts';
import { randomHex32, Signatory, sha256 } from './device.ts';

export const HOUR = 3_600_000;
/** Four places of two shards of 1 KiB, of which two places are enough. */
export const SMALL: FileShape = { k: 2, n: 4, groups: 2, shardBytes: 1024, lastShardBytes: 1024 };
const NETWORK = { chainId: 31_337, distributor: `0x${'d1'.repeat(20)}` } as const;
const digest = (data: Uint8Array): Uint8Array => fromHex(sha256(data));

/** What a place of a file holds; the same wherever it is. */
export function placeData(fileId: Hex32, index: number, shape = SMALL): Uint8Array {
  const data = new Uint8Array(placeBytesOf(shape));
  for (let at = 0; at < data.length; at += 32)
    data.set(digest(new TextEncoder().encode(`${fileId} ${index} ${at}`)), at);
  return data;
}

/** The right answer to an audit. */
export const answerTo = (seed: Hex32, fileId: Hex32, index: number, shape = SMALL): Hex32 =>
  toHex(auditAnswer(fromHex(seed), placeData(fileId, index, shape), digest));

/** What the owner says of a place when all of it was taken, signed by its device. */
export async function sealingOf(
  place: Place,
  fileId: Hex32,
  device: Signatory,
  { tokens = 20, shape = SMALL, issuedAt = 1 }: { tokens?: number; shape?: FileShape; issuedAt?: UnixMs } = {},
): Promise<Sealing> {
  const data = placeData(fileId, place.index, shape);
  let at = 0;
  const shards = Array.from({ length: shape.groups }, (_, group) => {
    const bytes = shardBytesAt(shape, group);
    at += bytes;
    return { hash: sha256(data.subarray(at - bytes, at)), bytes };
  });
  const seeds = Array.from({ length: tokens }, randomHex32);
  const value = {
    ...{ agreementId: place.agreementId, device: place.device, shardsHash: shardsHash(shards) },
    ...{ bytes: data.length, issuedAt },
  };
  return {
    shards,
    tokens: seeds.map((seed) => ({
      seed,
      commitment: sha256(fromHex(answerTo(seed, fileId, place.index, shape))),
    })),
    acknowledgement: { value, signature: await device.sign('Kept', value) },
  };
}

export type Keeper = { readonly key: Signatory; readonly owner: Address };

/** What was paid into each database, by all who share it. */
const FUNDED = new WeakMap<Db, bigint>();
const sumRow = z.object({ sum: amountColumn });

/** Books with consumers and devices, and a clock that a test moves. The code under test is real; who speaks to it is not there. */
export class StorageWorld {
  readonly db: Db;
  readonly rules;
  readonly keepers: Keeper[] = [];
  readonly verdicts: Judged['verdict'][] = [];
  now: UnixMs = 1_700_000_000_000;

  constructor(db: Db, options: StorageOptions & { readonly feeBps?: number; readonly maturityMs?: number } = {}) {
    const { feeBps = 0, maturityMs = 0, ...storage } = options;
    this.db = db;
    this.rules = rulesOf({ storage, feeBps, maturityMs });
  }

  async consumer(amount: bigint): Promise<Address> {
    const consumer = newAccount().address;
    const entries = move(account.external, account.deposit(consumer), amount);
    await post(this.db, { kind: 'deposit', key: `deposit:${consumer}`, at: this.now, entries });
    FUNDED.set(this.db, (FUNDED.get(this.db) ?? 0n) + amount);
    return consumer;
  }

  async keeper(lentBytes: number, owner = newAccount().address): Promise<Keeper> {
    const keeper = { key: new Signatory(newAccount(), NETWORK), owner };
    await this.db.exec(
      `INSERT INTO devices (device, owner, issued_at, expires_at, signature) VALUES ($1, $2, 0, $3, '')`,
      [keeper.key.address, owner, this.now + 10_000 * 24 * HOUR],
    );
    this.keepers.push(keeper);
    await this.lends(keeper, lentBytes);
    return keeper;
  }

  lends({ key, owner }: Keeper, lentBytes: number | null, network: string | null = null): Promise<void> {
    const offer = lentBytes === null ? null : { lentBytes, usedBytes: 0 };
    return this.db.tx((sql) => stateStorage(sql, { device: key.address, owner, network }, offer, this.now));
  }

  seen(keepers: readonly Keeper[] = this.keepers): Promise<void> {
    return noteSeen(
      this.db,
      keepers.map(({ key }) => key.address),
      this.now,
    );
  }

  store(consumer: Address, fileId: Hex32 = randomHex32(), months = 1, shape = SMALL): Promise<FileOffer> {
    return this.db.tx((sql) => storeFile(sql, consumer, { fileId, shape, months }, this.rules, this.now));
  }

  keyOf(device: Address): Signatory {
    return this.keepers.find(({ key }) => key.address === device)?.key ?? fail('INTERNAL', 'no such keeper');
  }

  async seal(fileId: Hex32, place: Place, tokens = 20): Promise<void> {
    const sealing = await sealingOf(place, fileId, this.keyOf(place.device), { tokens });
    await this.db.tx(async (sql) => {
      const locked = (await lockAgreement(sql, place.agreementId)) ?? fail('INTERNAL', 'no such agreement');
      const domain = domainOf(NETWORK.chainId, NETWORK.distributor);
      await sealAgreement(sql, locked, sealing, { domain, rules: this.rules }, this.now);
    });
  }

  /** A file of which every place is sealed. */
  async sealed(consumer: Address, tokens = 20): Promise<FileOffer> {
    const offer = await this.store(consumer);
    for (const place of offer.places) await this.seal(offer.fileId, place, tokens);
    return offer;
  }

  /** Asks what is due of these devices, and answers as is said; undefined: not at all. */
  async audit(
    answerOf: (device: Address, right: Hex32) => Hex32 | null | undefined = (_device, right) => right,
    keepers: readonly Keeper[] = this.keepers,
  ): Promise<number> {
    await this.seen(keepers);
    const devices = keepers.map(({ key }) => key.address);
    const asked = await drawAudits(this.db, devices, this.rules, this.now);
    for (const { device, message } of asked) {
      const { auditId, agreementId, seed } = message;
      const found = await this.db.tx((sql) => lockAgreement(sql, agreementId));
      if (found === null) fail('INTERNAL', 'an audit of nothing');
      const answer = answerOf(device, answerTo(seed, found.file.file_id, found.agreement.idx));
      if (answer === undefined) continue;
      const judged = await this.db.tx((sql) => judgeAnswer(sql, device, { auditId, answer }, this.rules, this.now));
      this.verdicts.push(judged.verdict);
    }
    return asked.length;
  }

  /** Time passes for a coordinator that runs, in steps; these devices are there all the while. */
  async pass(ms: number, there: readonly Keeper[] = this.keepers, stepMs = 100_000): Promise<void> {
    const end = this.now + ms;
    while (this.now < end) {
      this.now = Math.min(end, this.now + stepMs);
      await this.seen(there);
      await this.keepUp();
    }
  }

  async keepUp(): Promise<void> {
    const judged = ({ verdict }: Judged) => void this.verdicts.push(verdict);
    const log = (_level: string, event: string, fields: object = {}) => {
      throw new Error(`${event} ${JSON.stringify(fields)}`);
    };
    await keepUp({ db: this.db, rules: this.rules, log, judged }, this.now);
  }

  replace(fileId: Hex32, lost: Hex32): Promise<Place> {
    return this.db.tx(async (sql) => {
      const file = (await lockFile(sql, fileId)) ?? fail('INTERNAL', 'no such file');
      return (await replacePlace(sql, file, lost, this.rules, this.now)).place;
    });
  }

  drop(fileId: Hex32): Promise<unknown> {
    return this.db.tx(async (sql) => {
      const file = (await lockFile(sql, fileId)) ?? fail('INTERNAL', 'no such file');
      return await endFile(sql, file, 'dropped', this.rules, this.now);
    });
  }

  agreements = (fileId: Hex32) => agreementsOfFile(this.db, fileId);
  deposit = (consumer: Address) => balanceOf(this.db, account.deposit(consumer));
  async earned(owner: Address): Promise<bigint> {
    return (await balanceOf(this.db, account.pending(owner))) + (await balanceOf(this.db, account.matured(owner)));
  }

  /** Throws when money came or went, a hold has another sum than its file says, or two counts of what is owed differ. */
  async check(): Promise<void> {
    await this.db.tx((sql) => countBooks(sql), { snapshot: true });
    const external = await balanceOf(this.db, account.external);
    const funded = FUNDED.get(this.db) ?? 0n;
    if (external !== -funded) throw new Error(`${-external} came in, and ${funded} was paid`);
    const lame = await one(
      this.db,
      sumRow,
      `SELECT COUNT(*)::text AS sum FROM stored_files LEFT JOIN accounts ON account = 'hold:' || hold_id
       WHERE COALESCE(balance, 0) <> held - spent - refunded + COALESCE((
         SELECT SUM(fee + dust) FROM credits WHERE job_id = hold_id AND credits.state = 'pending'
       ), 0)`,
    );
    if (lame?.sum !== 0n) throw new Error(`${lame?.sum} holds are not what their files say`);
    const short = await one(
      this.db,
      sumRow,
      `SELECT COUNT(*)::text AS sum FROM stored_files WHERE held - spent - refunded < (
         SELECT COALESCE(SUM(held_back), 0) FROM agreements WHERE agreements.file_id = stored_files.file_id)`,
    );
    if (short?.sum !== 0n) throw new Error('a hold lacks what was held back');
  }
}
