import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { z } from 'zod';
import { Tokens } from '../../coordinator/access.ts';
import { openBlobs } from '../../coordinator/blobs.ts';
import { openChain } from '../../coordinator/chain.ts';
import type { Verification } from '../../coordinator/checks.ts';
import { Changes, type Context } from '../../coordinator/context.ts';
import { DayCounts } from '../../coordinator/day-counts.ts';
import { amountColumn, type Db, integerColumn, type Param } from '../../coordinator/db.ts';
import { enrol } from '../../coordinator/devices.ts';
import { Disabled } from '../../coordinator/disabled.ts';
import { closeEpoch } from '../../coordinator/epochs.ts';
import { fastKeccak } from '../../coordinator/keccak.ts';
import { judgeLanes } from '../../coordinator/lanes.ts';
import { account, balanceOf, booksBalance, move, post } from '../../coordinator/ledger.ts';
import { Metrics } from '../../coordinator/metrics.ts';
import { order } from '../../coordinator/orders.ts';
import { Consumers } from '../../coordinator/quotas.ts';
import { Readiness } from '../../coordinator/readiness.ts';
import { Replica } from '../../coordinator/replica.ts';
import { Sessions } from '../../coordinator/sessions.ts';
import { SignatureChecks } from '../../coordinator/signature-checks.ts';
import { Signer } from '../../coordinator/signing.ts';
import { KeptTotals } from '../../coordinator/totals.ts';
import { DEFAULT_POLICY, requirePolicy, type VerificationPolicy } from '../../coordinator/verification/policy.ts';
import type { Address, Hex32 } from '../../core/primitives.ts';
import { domainOf, paramsHash } from '../../core/typed-data.ts';
import { type Account, newAccount } from './chain.ts';
import { sha256 } from './device.ts';
import { coordinatorOptions, PRICE, WORKLOAD } from './network.ts';
import { randomHex32 } from './random.ts';
import { openTestDb } from './store.ts';
import { WorldDevice } from './verify-device.ts';

/** Time passes only when a test says so. */
const START = 1_800_000_000_000;
const PARAMS = { mode: 'plain' };
const FUNDS = PRICE * 10_000n;
export const HOUR_MS = 3_600_000;
/** Of each price, with the checks' share off it. */
export const PAY = (PRICE * 95n) / 100n;

/** Everybody is soon trusted, and much is looked at, so that a few hundred jobs show all of it. */
export const POLICY: VerificationPolicy = requirePolicy({
  ...DEFAULT_POLICY,
  ...{ trustedAfter: 2, leastReplicated: 0.1, canaries: 0.15, stakeFactor: 1, recheckAtOnce: 5 },
  maturity: { jobs: 40, leastMs: HOUR_MS, mostMs: 48 * HOUR_MS, bond: 1 },
  rest: { firstMs: HOUR_MS, mostMs: 24 * HOUR_MS },
});

type Opened = Pick<Context, 'blobs' | 'replica' | 'keccak'>;

/** The coordinator's own sessions, dispatcher, books and judge on a real database; only the wire and the chain are left out. */
export class VerifyWorld {
  readonly db: Db;
  readonly consumer = newAccount();
  readonly devices: WorldDevice[] = [];
  readonly logged: string[] = [];
  readonly #context: Context;
  readonly #dir: string;
  sessions: Sessions;
  now = START;
  /** Whether the coordinator does what it does for itself now and then. */
  judging = true;
  #jobs = 0;

  private constructor(dir: string, db: Db, verification: Verification | null, opened: Opened) {
    this.#dir = dir;
    this.db = db;
    const chain = {
      ...{ rpcUrl: 'http://127.0.0.1:1', chainId: 31337, publisher: newAccount() },
      ...{ token: newAccount().address, distributor: newAccount().address },
    };
    const options = coordinatorOptions(dir, chain, {
      ...{ clock: { now: () => this.now }, leaseMs: 86_400_000, verification: verification?.policy ?? null },
      log: (_level, event, fields) => void this.logged.push(`${event} ${JSON.stringify(fields)}`),
    });
    const domain = domainOf(chain.chainId, chain.distributor);
    this.#context = {
      ...{ options, networkId: randomHex32(), domain, db, verification },
      ...opened,
      checks: new SignatureChecks(domain, opened.keccak),
      metrics: new Metrics(),
      totals: new KeptTotals(db, options.clock),
      readiness: new Readiness(db, options.clock, opened.replica),
      disabled: new Disabled(),
      days: new DayCounts(db),
      chain: openChain(options.chain),
      signer: new Signer(chain.publisher.privateKey, domain),
      tokens: new Tokens(new Uint8Array(32)),
      changes: new Changes(opened.replica),
      consumers: new Consumers({ db, options }),
    };
    this.sessions = new Sessions(this.#context);
  }

  static async open(policy: VerificationPolicy | null, secret: string = randomHex32()): Promise<VerifyWorld> {
    const dir = await mkdtemp(join(tmpdir(), 'idlemesh-verify-'));
    const db = await openTestDb(dir);
    const opened = {
      blobs: await openBlobs(join(dir, 'blobs'), 1_000_000, () => Date.now()),
      replica: await Replica.open(db, () => undefined),
      keccak: await fastKeccak(),
    };
    const world = new VerifyWorld(dir, db, policy === null ? null : { policy, secret }, opened);
    await world.deposit(world.consumer.address, FUNDS);
    return world;
  }

  get context(): Context {
    return this.#context;
  }

  /** As if it had come from the chain. */
  async deposit(who: Address, amount: bigint): Promise<void> {
    await post(this.db, {
      ...{ kind: 'deposit', key: `deposit:${randomHex32()}`, at: this.now },
      entries: move('external', account.deposit(who), amount),
    });
  }

  /** What the network pays its checks with. */
  async fundChecks(amount = FUNDS): Promise<void> {
    await this.deposit(this.#context.signer.address, amount);
    await this.sessions.verify();
  }

  async keep(content: Buffer): Promise<Hex32> {
    const hash = sha256(content);
    await this.#context.blobs.write(
      hash,
      (async function* () {
        yield content;
      })(),
      content.length,
    );
    return hash;
  }

  /** `lies`: asked for each lease. `owner`, `network`: its own unless they are given. */
  async device(
    change: { readonly owner?: Account; readonly network?: string | null; readonly lies?: WorldDevice['lies'] } = {},
  ): Promise<WorldDevice> {
    const { owner = newAccount(), network = `line ${this.devices.length}`, lies = () => false } = change;
    const device = new WorldDevice(this, owner, network, lies);
    const value = { owner: owner.address, device: device.address, issuedAt: this.now, expiresAt: this.now * 2 };
    await enrol(this.db, value, await device.owner.sign('Enrollment', value), this.now);
    this.devices.push(device);
    await device.join();
    return device;
  }

  async order(count: number): Promise<readonly Hex32[]> {
    const jobIds: Hex32[] = [];
    for (let n = 0; n < count; n++) {
      const input = Buffer.from(`input ${this.#jobs++} ${randomHex32()}`);
      const value = {
        ...{
          consumer: this.consumer.address,
          workload: WORKLOAD.id,
          paramsHash: paramsHash(PARAMS),
          nonce: randomHex32(),
        },
        ...{ inputHash: await this.keep(input), inputBytes: input.length, maxPrice: PRICE * 3n },
        expiresAt: this.now + 600_000,
      };
      const caller = { account: this.consumer.address, role: 'consumer', key: null } as const;
      jobIds.push((await order(this.#context, { value, params: PARAMS }, caller)).jobId);
    }
    return jobIds;
  }

  /** Lets everybody work until nothing more happens; `rounds` turns without news are quiet. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      const before = await this.#news();
      if (this.judging) await this.sessions.verify();
      await this.sessions.expire();
      for (let waited = 0; waited < 15; waited++) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        await turn();
        await Promise.all(this.devices.map((device) => device.idle()));
      }
      quiet = (await this.#news()) === before ? quiet + 1 : 0;
      // What rests after nobody took it, or after a decline, is there again.
      this.now += 11_000;
    }
  }

  async #news(): Promise<string> {
    const row = await this.db.query(
      z.object({ news: z.string() }),
      `SELECT (SELECT COUNT(*) FROM leases) || ' ' || (SELECT COUNT(*) FROM jobs) || ' ' ||
         (SELECT COUNT(*) FROM leases WHERE state IN ('held', 'finished')) || ' ' ||
         (SELECT COALESCE(SUM(judged), 0) FROM lanes) || ' ' || (SELECT COUNT(*) FROM entries) AS news`,
    );
    return row[0]?.news ?? '';
  }

  /** All that was accepted is reported. */
  async report(): Promise<void> {
    for (const device of this.devices) await device.report();
  }

  /** Matures what is due and closes an epoch: throws where the two calculators differ or the books do not balance. */
  async epoch(): Promise<void> {
    await closeEpoch(this.db, this.now);
    if (!(await booksBalance(this.db))) throw new Error('the books do not balance');
  }

  balance = (name: string): Promise<bigint> => balanceOf(this.db, name);

  async sum(pattern: string): Promise<bigint> {
    const [row] = await this.db.query(
      z.object({ sum: amountColumn }),
      'SELECT COALESCE(SUM(balance), 0)::text AS sum FROM accounts WHERE account LIKE $1',
      [pattern],
    );
    return row?.sum ?? 0n;
  }

  /** Of all jobs that the consumer ordered. */
  async charged(): Promise<bigint> {
    const [row] = await this.db.query(
      z.object({ sum: amountColumn }),
      'SELECT COALESCE(SUM(charged), 0)::text AS sum FROM jobs WHERE consumer = $1',
      [this.consumer.address],
    );
    return row?.sum ?? 0n;
  }

  async count(query: string, params: readonly Param[] = []): Promise<number> {
    const [row] = await this.db.query(z.object({ count: integerColumn }), `SELECT COUNT(*) AS count ${query}`, params);
    return row?.count ?? 0;
  }

  /** Until no lane is doubted and no job waits any more; one that nobody is left for is not waited for long. */
  async resolve(): Promise<void> {
    const waiting = () => this.count(`FROM jobs WHERE state = 'queued'`);
    for (let rounds = 0; rounds < 40 && (await this.suspected()) > 0; rounds++) await this.settle();
    for (let rounds = 0; rounds < 10 && (await waiting()) > 0; rounds++) await this.settle();
    for (let rounds = 0; rounds < 40 && (await this.suspected()) > 0; rounds++) await this.settle();
  }

  suspected = (): Promise<number> => this.count('FROM lanes WHERE suspicion IS NOT NULL');
  clawed = (device: WorldDevice): Promise<number> =>
    this.count('FROM clawbacks WHERE owner = $1', [device.owner.address]);
  async isTrusted({ address }: WorldDevice): Promise<boolean> {
    const { policy } = this.#context.verification ?? { policy: POLICY };
    return (await this.count('FROM trust WHERE device = $1 AND valid >= $2', [address, policy.trustedAfter])) > 0;
  }

  /** So many who are trusted and have earned something that is not mature. */
  async standing(count: number): Promise<readonly WorldDevice[]> {
    const devices: WorldDevice[] = [];
    for (let n = 0; n < count; n++) devices.push(await this.device());
    for (let tries = 0; tries < 8; tries++) {
      await this.order(count * 4);
      await this.settle();
      const trusted = await Promise.all(devices.map((device) => this.isTrusted(device)));
      if (trusted.every((is) => is)) return devices;
    }
    throw new Error(`they were not trusted: ${await this.tell()}`);
  }

  /** Jobs that wait, and of these devices one that never had their input. */
  async unseen(
    devices: readonly WorldDevice[],
  ): Promise<readonly { readonly job: string; readonly device: Address }[]> {
    const rows = await this.db.query(
      z.object({ job: z.string(), owners: z.array(z.string()) }),
      `SELECT open.job_id AS job, ARRAY(SELECT DISTINCT leases.owner FROM jobs JOIN leases USING (job_id)
         WHERE COALESCE(jobs.about, jobs.job_id) = COALESCE(open.about, open.job_id)) AS owners
       FROM jobs AS open WHERE open.state = 'queued'`,
    );
    return rows.flatMap(({ job, owners }) =>
      devices.flatMap(({ address, owner }) => (owners.includes(owner.address) ? [] : [{ job, device: address }])),
    );
  }

  /** How it stands, for who looks for what went wrong. */
  async tell(): Promise<string> {
    const lines = await this.db.query(
      z.object({ line: z.string() }),
      `SELECT 'trust ' || device || ' ' || valid || ' ' || partners AS line FROM trust
       UNION ALL SELECT 'leases ' || device || ' ' || state || ' ' || COUNT(*) FROM leases GROUP BY device, state
       UNION ALL SELECT 'job ' || job_id || ' about ' || COALESCE(about, '-') || ' ' ||
         (SELECT COALESCE(string_agg(copy || ':' || leases.state || ':' || replicated, ','), '') FROM leases WHERE leases.job_id = jobs.job_id)
         FROM jobs WHERE state = 'queued'
       UNION ALL SELECT 'lane ' || device || ' ' || latest || ' ' || COALESCE(suspicion, '-') FROM lanes`,
    );
    return [`now ${this.now}`, ...lines.map(({ line }) => line)].join('\n');
  }

  /** From now on it lies: first where nobody looks, so many times, and then everywhere. Whatever the draw, some of it is accepted. */
  deceive(device: WorldDevice, unseen = 3): void {
    const looked = `FROM leases JOIN jobs USING (job_id) JOIN leases AS others USING (job_id)
      WHERE leases.lease_id = $1 AND (others.replicated OR known_copies > 0)`;
    device.lies = async ({ leaseId }) => {
      if (device.lied.size >= unseen) return true;
      return (await this.count(looked, [leaseId])) === 0;
    };
  }

  /** Orders until a result of `device` was found to be wrong. */
  async untilFound({ address }: WorldDevice): Promise<void> {
    for (let tries = 0; tries < 40; tries++) {
      await this.order(10);
      await this.settle();
      if ((await this.count('FROM conduct WHERE name = $1 AND bad > 0', [`device ${address}`])) > 0) return;
    }
    throw new Error('it was not found');
  }

  /** Judges once, with every transaction lost before it is committed; answers how many were. */
  async cutOff(): Promise<number> {
    let lost = 0;
    const dying: Db = {
      ...this.db,
      tx: (work) =>
        this.db.tx(async (sql) => {
          await work(sql);
          lost += 1;
          throw new Error('killed');
        }),
    };
    await judgeLanes({ ...this.#context, db: dying });
    return lost;
  }

  /** As after a kill: sessions, work in hand and all that was known in memory are gone. */
  async restart(): Promise<void> {
    const old = this.sessions;
    this.sessions = new Sessions(this.#context);
    await old.close(0);
    // What the old one had claimed is anybody's again.
    this.now += 11_000;
    for (const device of this.devices) await device.join();
  }

  async close(): Promise<void> {
    await this.sessions.close(0);
    await this.#context.replica.close();
    this.#context.chain.close();
    await this.db.close();
    await rm(this.#dir, { recursive: true, force: true });
  }
}
