import { z } from 'zod';
import type { Chain } from '../../coordinator/chain.ts';
import { clawBack } from '../../coordinator/clawback.ts';
import { holdCredits, mature, releaseCredits } from '../../coordinator/credits.ts';
import { amountColumn, type Db, type Sql } from '../../coordinator/db.ts';
import { type Events, followChain } from '../../coordinator/deposits.ts';
import { closeEpoch, publishEpochs } from '../../coordinator/epochs.ts';
import { insertJob } from '../../coordinator/jobs.ts';
import { insertLeases } from '../../coordinator/leases.ts';
import { hold } from '../../coordinator/ledger.ts';
import { acceptReports } from '../../coordinator/reports.ts';
import { settle } from '../../coordinator/settle.ts';
import { sharesOf } from '../../coordinator/shares.ts';
import type { Signer } from '../../coordinator/signing.ts';
import { isFailure } from '../../core/errors.ts';
import { sum } from '../../core/money.ts';
import { type Address, type Hex32, ZERO_HASH } from '../../core/primitives.ts';
import { itemsHash, type ReportItem, reportHash, type Struct } from '../../core/typed-data.ts';
import { type Action, DEVICES, ownerOf } from './books-model.ts';
import { randomHex32 } from './random.ts';

const SIGNATURE = `0x${'11'.repeat(65)}` as const;
const OUTPUT = { outputHash: ZERO_HASH, outputBytes: 1 } as const;
const RULES = { maxAttempts: 1, comparison: () => 'exact' as const, outputLimit: () => 10 };
const randomAddress = (): Address => `0x${randomHex32().slice(26)}`;
const silent = () => undefined;

type Sent = { readonly value: Struct<'Report'>; readonly items: readonly ReportItem[] };
class Crash extends Error {}

/** What all histories on one database share: the chain's events and its roots. */
export class WorldChain implements Events, Pick<Chain, 'rootCount' | 'publication' | 'publish'> {
  readonly startBlock = 0;
  readonly #deposits: Awaited<ReturnType<Chain['deposits']>>[number][] = [];
  readonly #claims: Awaited<ReturnType<Chain['claims']>>[number][] = [];
  readonly #blocks: number[] = [];
  readonly #roots: { readonly root: Hex32; readonly txHash: Hex32 }[] = [];
  #fork = randomHex32();
  height = 0;

  head = async () => this.height;
  blockHash = async () => this.#fork;
  deposits = async (from: number, to: number) =>
    this.#deposits.filter((_one, at) => (this.#blocks[at] ?? 0) >= from && (this.#blocks[at] ?? 0) <= to);
  claims = async (from: number, to: number) => this.#claims.filter(({ block }) => block >= from && block <= to);
  rootCount = async () => this.#roots.length;
  publication = async (index: number) => this.#roots[index] ?? null;
  publish = async (root: Hex32) => {
    const txHash = randomHex32();
    this.#roots.push({ root, txHash });
    return txHash;
  };

  fund(from: Address, amount: bigint): void {
    this.height += 1;
    this.#blocks.push(this.height);
    this.#deposits.push({ from, amount, txHash: randomHex32(), logIndex: 0 });
  }
  claim(owner: Address, cumulative: bigint): void {
    this.height += 1;
    this.#claims.push({ owner, cumulative, block: this.height, txHash: randomHex32() });
  }
  /** Nothing of before is told again. */
  forget(): void {
    for (const list of [this.#deposits, this.#claims, this.#blocks]) list.length = 0;
  }
  /** The same events in other blocks, behind a log more, the claims of the newest in another transaction. */
  reorganise(): void {
    this.#fork = randomHex32();
    for (const [at, one] of this.#deposits.entries()) this.#deposits[at] = { ...one, logIndex: one.logIndex + 1 };
    const last = this.#claims.pop();
    if (last !== undefined) this.#claims.push({ ...last, txHash: randomHex32() });
  }
}

/** One history in real books: whatever the coordinator would do of it, by its own functions. */
export class BooksWorld {
  readonly consumers = [randomAddress(), randomAddress()];
  readonly owners = [randomAddress(), randomAddress()];
  readonly #devices = Array.from({ length: DEVICES }, randomAddress);
  readonly #jobs: Hex32[] = [];
  readonly #pays: bigint[] = [];
  readonly #leases: { readonly id: Hex32; readonly job: number }[] = [];
  readonly #last = new Map<number, Sent>();
  readonly #maturityMs: number;
  readonly #db: Db;
  readonly #signer: Signer;
  readonly #chain: WorldChain;
  now = 1_000;
  crashes = 0;

  constructor(db: Db, signer: Signer, chain: WorldChain, maturityMs: number) {
    this.#db = db;
    this.#signer = signer;
    this.#chain = chain;
    this.#maturityMs = maturityMs;
  }

  async open(): Promise<void> {
    for (const [at, device] of this.#devices.entries()) {
      await this.#db.exec(
        `INSERT INTO devices (device, owner, issued_at, expires_at, signature) VALUES ($1, $2, 1, 2, '')`,
        [device, this.#owner(ownerOf(at))],
      );
    }
  }

  /** `crash`: the first try is cut off before it is committed, and then it is done again. */
  async apply(action: Action, crash: boolean): Promise<'done' | 'refused'> {
    try {
      await this.#act(action, crash);
      return 'done';
    } catch (error) {
      if (isFailure(error, 'INSUFFICIENT_FUNDS') || isFailure(error, 'CONFLICT') || isFailure(error, 'REFUSED')) {
        return 'refused';
      }
      throw error;
    }
  }

  async #tx(crash: boolean, work: (sql: Sql) => Promise<unknown>): Promise<void> {
    if (crash) {
      const cut = this.#db.tx(async (sql) => {
        await work(sql);
        throw new Crash();
      });
      await cut.catch((error: unknown) => {
        if (!(error instanceof Crash)) throw error;
        this.crashes += 1;
      });
    }
    await this.#db.tx(work);
  }

  async #act(action: Action, crash: boolean): Promise<void> {
    const at = this.now;
    switch (action.kind) {
      case 'deposit':
        this.#chain.fund(this.#consumer(action.consumer), action.amount);
        return await this.#follow(crash);
      case 'reorg':
        this.#chain.reorganise();
        return await this.#follow(crash);
      case 'order':
        return await this.#order(action, crash);
      case 'finish':
      case 'fail':
        return await this.#end(action, crash);
      case 'report':
        return await this.#report(action, crash);
      case 'tick':
        this.now += action.ms;
        return;
      case 'mature':
        return await this.#tx(crash, (sql) => mature(sql, at));
      case 'hold':
        return await this.#tx(crash, (sql) => holdCredits(sql, { leaseIds: this.#ids(action.leases) }, 'a test', at));
      case 'release':
        return await this.#tx(crash, (sql) => releaseCredits(sql, this.#ids(action.leases), at));
      case 'clawBack':
        return await this.#tx(crash, (sql) => clawBack(sql, this.#signer, this.#ids(action.leases), 'a test', at));
      case 'epoch':
        return await this.#epoch(crash);
      case 'claim':
        return await this.#claim(action.owner, crash);
    }
  }

  #follow = async (crash: boolean) => {
    const clock = { now: () => this.now };
    if (crash) {
      const dying: Db = {
        ...this.#db,
        tx: (work) =>
          this.#db.tx(async (sql) => {
            await work(sql);
            throw new Crash();
          }),
      };
      await followChain(dying, this.#chain, clock, silent).catch((error: unknown) => {
        if (!(error instanceof Crash)) throw error;
        this.crashes += 1;
      });
    }
    await followChain(this.#db, this.#chain, clock, silent);
  };

  async #order({ consumer, price, feeBps }: Extract<Action, { kind: 'order' }>, crash: boolean): Promise<void> {
    const jobId = randomHex32();
    const { pay, dust } = sharesOf(price, feeBps);
    const names = { job_id: jobId, consumer: this.#consumer(consumer), workload: 'echo', version: '1' } as const;
    const work = { image: 'x', lane: 'cpu', params: {}, input_hash: ZERO_HASH, input_bytes: 1 } as const;
    const money = { price, pay, dust, hold: price, replicas: 0, priority: 0 } as const;
    await this.#tx(crash, async (sql) => {
      await insertJob(sql, { ...names, ...work, ...money }, this.now);
      await hold(sql, names.consumer, jobId, price, this.now);
    });
    this.#jobs.push(jobId);
    this.#pays.push(pay);
  }

  async #end({ kind, job, device }: Extract<Action, { kind: 'finish' | 'fail' }>, crash: boolean): Promise<void> {
    const jobId = this.#jobs[job];
    const doer = this.#device(device);
    if (jobId === undefined) return;
    const leaseId = randomHex32();
    const lease = { lease_id: leaseId, job_id: jobId, copy: 0, device: doer, owner: this.#owner(ownerOf(device)) };
    // A job that is over, or has this lease, gives out no more.
    if ((await insertLeases(this.#db, [{ ...lease, deadline: this.now + 1_000 }], this.now)).size === 0) return;
    this.#leases.push({ id: leaseId, job });
    const value = { leaseId, ...OUTPUT, startedAt: 1, finishedAt: 2 };
    await this.#tx(crash, (sql) =>
      settle(
        sql,
        kind === 'finish'
          ? [{ kind: 'result', device: doer, value, stored: 1, evidence: { signature: SIGNATURE } }]
          : [{ kind: 'loss', leaseId, why: 'a test', loss: 'attempt' }],
        RULES,
        this.now,
      ),
    );
  }

  async #report({ device, leases, order }: Extract<Action, { kind: 'report' }>, crash: boolean): Promise<void> {
    const last = this.#last.get(device) ?? null;
    if (last === null && (order === 'again' || order === 'fork')) return;
    const items = leases.map((number) => {
      const lease = this.#leases[number];
      return { leaseId: lease?.id ?? randomHex32(), outputHash: ZERO_HASH, amount: this.#pays[lease?.job ?? -1] ?? 1n };
    });
    const sequence = (last?.value.sequence ?? 0) + (order === 'early' ? 2 : order === 'fork' ? 0 : 1);
    const previous = order === 'fork' ? (last?.value.previous ?? ZERO_HASH) : last === null ? ZERO_HASH : hashOf(last);
    const fresh: Sent = {
      value: {
        ...{ owner: this.#owner(ownerOf(device)), device: this.#device(device), sequence, previous },
        ...{ periodStart: 1, periodEnd: order === 'fork' ? 9_999_999 : 2, itemsHash: itemsHash(items) },
        ...{ itemCount: items.length, total: sum(items.map(({ amount }) => amount)) },
      },
      items,
    };
    const sent = order === 'again' && last !== null ? last : fresh;
    const clock = { now: () => this.now };
    await this.#tx(crash, async (sql) => {
      const all = [{ ...sent, signature: SIGNATURE }];
      const [answer] = await acceptReports(sql, this.#signer, clock, all, { maturityMs: this.#maturityMs });
      if (answer?.kind === 'refused') throw answer.failure;
    });
    if (order === 'next') this.#last.set(device, sent);
  }

  async #epoch(crash: boolean): Promise<void> {
    const chain: Pick<Chain, 'rootCount' | 'publication' | 'publish'> = !crash
      ? this.#chain
      : {
          ...this.#chain,
          publish: async (root) => {
            await this.#chain.publish(root);
            throw new Crash();
          },
        };
    await closeEpoch(this.#db, this.now);
    const clock = { now: () => this.now };
    await publishEpochs(this.#db, chain, clock, silent, silent).catch((error: unknown) => {
      if (!(error instanceof Crash)) throw error;
      this.crashes += 1;
    });
    await publishEpochs(this.#db, this.#chain, clock, silent, silent);
  }

  async #claim(owner: number, crash: boolean): Promise<void> {
    const at = this.#owner(owner);
    const { published, claimed } = await this.balances();
    const all = (published.get(at) ?? 0n) + (claimed.get(at) ?? 0n);
    if ((published.get(at) ?? 0n) > 0n) this.#chain.claim(at, all);
    await this.#follow(crash);
  }

  async balances(): Promise<{
    readonly all: ReadonlyMap<string, bigint>;
    readonly published: ReadonlyMap<string, bigint>;
    readonly claimed: ReadonlyMap<string, bigint>;
  }> {
    const rows = await this.#db.query(
      z.object({ account: z.string(), balance: amountColumn }),
      `SELECT account, balance::text FROM accounts WHERE split_part(account, ':', 2) IN (
         SELECT jsonb_array_elements_text($1::text::jsonb))`,
      [JSON.stringify([...this.consumers, ...this.owners, ...this.#jobs])],
    );
    const of = (kind: string) =>
      new Map(
        rows.flatMap((row) => (row.account.startsWith(kind) ? [[row.account.slice(kind.length), row.balance]] : [])),
      );
    return {
      all: new Map(rows.map((row) => [row.account, row.balance])),
      published: of('published:'),
      claimed: of('claimed:'),
    };
  }

  /** What is pending stays so for good: it is no part of the histories that follow. */
  async end(): Promise<void> {
    for (const device of this.#devices) await holdCredits(this.#db, { device }, 'the end', this.now);
    this.#chain.forget();
  }

  /** The real name of an account of the model. */
  nameOf(account: string): string {
    const [kind = '', number = ''] = account.split(':');
    const at = Number(number);
    const name = kind === 'deposit' ? this.consumers[at] : kind === 'hold' ? this.#jobs[at] : this.owners[at];
    return `${kind}:${name}`;
  }

  #consumer = (at: number): Address => this.consumers[at] ?? randomAddress();
  #owner = (at: number): Address => this.owners[at] ?? randomAddress();
  #device = (at: number): Address => this.#devices[at] ?? randomAddress();
  #ids = (leases: readonly number[]): readonly Hex32[] => leases.map((at) => this.#leases[at]?.id ?? randomHex32());
}

const hashOf = ({ value }: Sent): Hex32 => reportHash(value);
