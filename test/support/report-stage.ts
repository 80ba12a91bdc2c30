import { z } from 'zod';
import type { Db, Sql } from '../../coordinator/db.ts';
import { insertJob } from '../../coordinator/jobs.ts';
import { insertLeases } from '../../coordinator/leases.ts';
import { account, hold, move, post } from '../../coordinator/ledger.ts';
import type { SentReport } from '../../coordinator/report-chain.ts';
import { acceptReports, type ReportAnswer } from '../../coordinator/reports.ts';
import { settle } from '../../coordinator/settle.ts';
import { sharesOf } from '../../coordinator/shares.ts';
import type { Signer } from '../../coordinator/signing.ts';
import { type Address, type Hex32, ZERO_HASH } from '../../core/primitives.ts';
import { randomAddress, randomHex32 } from './random.ts';

/** What is different in books to which the same was done is left out: numbers that count everything. */
const BOOKS: readonly string[] = [
  'SELECT * FROM reports',
  'SELECT * FROM receipts',
  'SELECT * FROM credits',
  'SELECT * FROM credit_holds',
  'SELECT * FROM report_forks',
  'SELECT device, blocked FROM devices',
  'SELECT lease_id, report_hash FROM leases',
  'SELECT account, balance::text FROM accounts',
  'SELECT key, kind, at, account, amount::text FROM entries JOIN transfers ON transfers.id = transfer_id',
];
class RolledBack extends Error {}

/** Devices of three owners with accepted leases, each of a job of its own, in real books. */
export class ReportStage {
  readonly devices = Array.from({ length: 6 }, randomAddress);
  readonly #owners = Array.from({ length: 3 }, randomAddress);
  readonly leases: { readonly id: Hex32; readonly pay: bigint; readonly device: number }[] = [];
  readonly #db: Db;
  readonly #signer: Signer;

  constructor(db: Db, signer: Signer) {
    this.#db = db;
    this.#signer = signer;
  }

  ownerOf(device: number): Address {
    return this.#owners[device >> 1] ?? randomAddress();
  }

  async open(leasesEach: number): Promise<void> {
    const consumer = randomAddress();
    await this.#db.tx(async (sql) => {
      const money = move(account.external, account.deposit(consumer), 10n ** 9n);
      await post(sql, { kind: 'deposit', key: `deposit ${consumer}`, at: 1, entries: money });
      for (const [number, device] of this.devices.entries()) {
        await sql.exec(
          `INSERT INTO devices (device, owner, issued_at, expires_at, signature) VALUES ($1, $2, 1, 2, '')`,
          [device, this.ownerOf(number)],
        );
        for (let lease = 0; lease < leasesEach; lease++) await this.#lease(sql, consumer, number);
      }
    });
  }

  async #lease(sql: Sql, consumer: Address, number: number): Promise<void> {
    const [id, leaseId] = [randomHex32(), randomHex32()];
    const [device, price] = [this.devices[number] ?? randomAddress(), 1_000n + 7n * BigInt(this.leases.length)];
    const { pay, dust } = sharesOf(price, 333);
    const work = { workload: 'echo', version: '1', image: 'x', lane: 'cpu', params: {}, input_bytes: 1 } as const;
    const job = { job_id: id, consumer, ...work, input_hash: ZERO_HASH, price, pay, dust, hold: price } as const;
    await insertJob(sql, { ...job, replicas: 0, priority: 0 }, 1);
    await hold(sql, consumer, id, price, 1);
    const lease = { lease_id: leaseId, job_id: id, copy: 0, device, owner: this.ownerOf(number), deadline: 1_000 };
    await insertLeases(sql, [lease], 1);
    const value = { leaseId, outputHash: ZERO_HASH, outputBytes: 1, startedAt: 1, finishedAt: 2 };
    const done = { kind: 'result', device, value, stored: 1, evidence: { signature: `0x${'11'.repeat(65)}` } } as const;
    await settle(sql, [done], { maxAttempts: 1, outputLimit: () => 10, comparison: () => 'exact' as const }, 2);
    this.leases.push({ id: leaseId, pay, device: number });
  }

  /** What groups of reports are answered, and the books after them; the books themselves stay as they were. */
  async tried(groups: readonly (readonly SentReport[])[]): Promise<{ answers: ReportAnswer[]; books: unknown }> {
    const answers: ReportAnswer[] = [];
    let books: unknown;
    const trying = this.#db.tx(async (sql) => {
      for (const group of groups) {
        answers.push(...(await acceptReports(sql, this.#signer, { now: () => 5_000 }, group, 100)));
      }
      books = await booksIn(sql);
      throw new RolledBack();
    });
    await trying.catch((error: unknown) => {
      if (!(error instanceof RolledBack)) throw error;
    });
    return { answers, books };
  }
}

async function booksIn(sql: Sql): Promise<unknown> {
  const all: string[][] = [];
  for (const select of BOOKS) {
    const rows = await sql.query(z.record(z.string(), z.unknown()), select);
    all.push(
      rows.map((row) => JSON.stringify(row, (_key, part) => (typeof part === 'bigint' ? `${part}` : part))).sort(),
    );
  }
  return all;
}
