import { createHash } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Db } from '../../../coordinator/db.ts';
import { type Coordinator, startCoordinator } from '../../../coordinator/index.ts';
import { booksBalance } from '../../../coordinator/ledger.ts';
import { restore } from '../../../coordinator/restore.ts';
import { parseTokens } from '../../../core/money.ts';
import { type JobView, jobView, ownerBooks, problemDetails } from '../../../core/wire.ts';
import { adminOrder } from '../../support/admin.ts';
import { newAccount } from '../../support/chain.ts';
import { post, TestConsumer, type TestDevice } from '../../support/device.ts';
import { earn } from '../../support/earn.ts';
import { coordinatorOptions, PRICE, TestNetwork, WORKLOAD } from '../../support/network.ts';
import { runCli } from '../../support/run-cli.ts';
import { newStore, openStore, type Store } from '../../support/store.ts';
import { until } from '../../support/wait.ts';

const DOC = join(import.meta.dirname, '../../../docs/running-a-coordinator.md');
const countRow = z.object({ count: z.coerce.number() });
const printed = z.object({ at: z.number(), rows: z.number(), owners: z.number(), neededFiles: z.number() }).loose();

describe('a backup of the books', () => {
  const admin = newAccount();
  let network: TestNetwork;
  let consumer: TestConsumer;
  let device: TestDevice;
  let open: JobView;
  let done: JobView;
  let folder: string;
  let file: string;
  const stores: Store[] = [];

  /** The commands of the page, with its paths taken for ours. */
  async function documented(command: 'backup' | 'restore', path: string, dataDir: string, store: Store) {
    const page = await readFile(DOC, 'utf8');
    const line =
      page.split('\n').find((text) => text.startsWith(`    idlemesh books ${command} `)) ?? expect.unreachable();
    const words = line.trim().split(' ').slice(1);
    const args = words.map(
      (word) => ({ '/var/backups/idlemesh-books.jsonl': path, '/var/lib/idlemesh': dataDir })[word] ?? word,
    );
    expect(args).toContain(path);
    expect(args).toContain(dataDir);
    const { databaseUrl } = store;
    return await runCli(args, databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl });
  }
  const emptyPlace = async (kind: 'same' | 'embedded' = 'same') => {
    const store = kind === 'same' ? await newStore() : { drop: async () => undefined };
    stores.push(store);
    return { store, dataDir: await mkdtemp(join(folder, 'place-')) };
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'idlemesh-backup-'));
    file = join(folder, 'books.jsonl');
    network = await TestNetwork.start({ admins: [admin.address], maturityMs: 0 });
    consumer = await network.consumer(parseTokens('10'));
    device = await network.device(0);
    const { item, job } = await earn(consumer, device, 'done, and published');
    done = await consumer.follow(job.jobId, ['done']);
    await device.report([item]);
    const books = async () => await network.books(device.owner.address);
    await until('the root', async () => (await books()).published === PRICE);
    const { item: pending } = await earn(consumer, device, 'done, and not published');
    await device.report([pending]);
    const order = {
      action: 'ban',
      subject: newAccount().address,
      why: 'a "quoted" \\ reason\nof two\u2028lines',
    } as const;
    await post(
      `${network.url}/v1/admin/actions`,
      await adminOrder(network.coordinator.network, admin, { ...order, issuedAt: Date.now() }),
    );
    await device.hangUp();
    open = await consumer.submit('echo', Buffer.from('still to do'));
    await until('all to be published', async () => (await books()).published === 2n * PRICE);
    const store = { ...network.store };
    // PostgreSQL is backed up while it is used.
    if (store.databaseUrl === undefined) await network.halt();
    const { code, out, err } = await documented('backup', file, network.dataDir, store);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const { sha256 } = z.object({ sha256: z.string() }).loose().parse(JSON.parse(out));
    const text = await readFile(file, 'utf8');
    const body = text.slice(0, text.trimEnd().lastIndexOf('\n') + 1);
    expect(createHash('sha256').update(body).digest('hex')).toBe(sha256);
  }, 120_000);
  afterAll(async () => {
    for (const store of stores) await store.drop();
    await network.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('is a file that only its user may read, and nothing is left beside it', async () => {
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['books.jsonl']);
    const again = await documented('backup', file, network.dataDir, network.store);
    expect(again.code).toBe(1);
    expect(again.err).toContain('name another file');
  });

  async function goesOn(place: { readonly store: Store; readonly dataDir: string }): Promise<void> {
    const { store, dataDir } = place;
    await cp(join(network.dataDir, 'blobs'), join(dataDir, 'blobs'), { recursive: true });
    const { code, out, err } = await documented('restore', file, dataDir, store);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(printed.parse(JSON.parse(out))).toMatchObject({ owners: 1, neededFiles: 1, missingFiles: 0 });
    const db: Db = await openStore(store, dataDir);
    expect(await booksBalance(db)).toBe(true);
    for (const change of [
      'UPDATE entries SET amount = amount + 1',
      'DELETE FROM transfers',
      'DELETE FROM admin_actions',
    ]) {
      await expect(db.exec(change)).rejects.toThrow('append-only');
    }
    await db.close();

    await network.halt();
    const { databaseUrl } = store;
    const coordinator: Coordinator = await startCoordinator(
      coordinatorOptions(dataDir, network.chain, {
        ...{ admins: [admin.address] },
        ...(databaseUrl === undefined ? {} : { databaseUrl }),
      }),
    );
    try {
      const ask = async (path: string): Promise<unknown> => await (await fetch(`${coordinator.url}${path}`)).json();
      expect(coordinator.network.networkId).toBe(network.coordinator.network.networkId);
      expect(jobView.parse(await ask(`/v1/jobs/${done.jobId}`))).toEqual(done);
      expect(jobView.parse(await ask(`/v1/jobs/${open.jobId}`))).toEqual(open);
      const books = async (who: string) => ownerBooks.parse(await ask(`/v1/owners/${who}`));
      expect(await books(device.owner.address)).toMatchObject({ credited: 2n * PRICE, published: 2n * PRICE });
      // A token from before is still good, and the device goes on where it was: with its next report.
      const account = await fetch(`${coordinator.url}/v1/account`, {
        headers: { authorization: `Bearer ${consumer.token}` },
      });
      expect(account.status).toBe(200);
      const back = device.movedTo(coordinator.url);
      await back.connect([WORKLOAD]);
      back.send({ type: 'ready', lane: 'cpu', slots: 1 });
      const lease = await back.nextLease();
      expect(lease.jobId).toBe(open.jobId);
      await back.finish(lease, Buffer.from('out'));
      const { verdict } = await back.told('verdict');
      expect(verdict.kind).toBe('accepted');
      await back.hangUp();
    } finally {
      await coordinator.close();
      await network.restart();
    }
  }

  it('is brought back into an empty database, counted, and everybody goes on where they were', async () => {
    await goesOn(await emptyPlace());
  }, 60_000);

  it('is brought back into the other kind of database, too', async () => {
    await goesOn(await emptyPlace('embedded'));
  }, 60_000);

  async function leavesEmpty(spoil: (text: string) => string, says: string): Promise<void> {
    const { store, dataDir } = await emptyPlace();
    const spoilt = join(dataDir, 'spoilt.jsonl');
    const text = await readFile(file, 'utf8');
    const other = spoil(text);
    expect(other).not.toBe(text);
    await writeFile(spoilt, other);
    const db = await openStore(store, dataDir);
    await expect(restore(db, spoilt, Date.now())).rejects.toThrow(says);
    for (const table of ['jobs', 'entries', 'accounts', 'receipts', 'admin_actions']) {
      expect((await db.query(countRow, `SELECT count(*) AS count FROM ${table}`))[0]?.count, table).toBe(0);
    }
    await db.close();
  }
  /** As who changes a backup on purpose would leave it. */
  const sealed = (text: string): string => {
    const lines = text.trimEnd().split('\n').slice(0, -1);
    const body = `${lines.join('\n')}\n`;
    const sha256 = createHash('sha256').update(body).digest('hex');
    return `${body}${JSON.stringify({ rows: lines.length, sha256 })}\n`;
  };

  it('that was cut off, or has a bit that is not as it was, is refused, and nothing is written', async () => {
    await leavesEmpty((text) => text.slice(0, Math.floor(text.length / 2)), 'no whole backup');
    await leavesEmpty((text) => text.replace('"pending:', '"panding:'), 'it was changed');
    await leavesEmpty(() => 'something else\n', 'no whole backup');
  }, 60_000);

  it('whose books do not add up is refused by the count, and nothing is written', async () => {
    const more = (text: string) => {
      // One unit more for the owner, in the account alone.
      const account = `["matured:${device.owner.address}", "0"]`;
      expect(text).toContain(account);
      return sealed(text.replace(account, account.replace('"0"', '"1"')));
    };
    await leavesEmpty(more, 'do not balance');
    const entry = new RegExp(`"published:${device.owner.address}", "${PRICE}"`);
    await leavesEmpty((text) => sealed(text.replace(entry, (found) => found.replace('"50', '"51'))), 'disagree');
  }, 60_000);

  it('of another version is refused', async () => {
    await leavesEmpty((text) => sealed(text.replace(/"schema":\d+/, '"schema":1')), 'restore it with the version');
  }, 60_000);

  it('is not brought back over books that are there', async () => {
    await network.halt();
    const { code, err } = await documented('restore', file, network.dataDir, network.store);
    expect(code).toBe(1);
    expect(err).toContain('not empty');
    await network.restart();
  }, 60_000);

  it('that is older than the newest root on chain is not served as if it were not', async () => {
    const more = await network.device(0, device.ownerAccount);
    const buyer = new TestConsumer(network.url, network.coordinator.network, consumer.account);
    const { item } = await earn(buyer, more, 'after the backup');
    await more.report([item]);
    await until('the root', async () => (await network.books(device.owner.address)).published === 3n * PRICE);
    await more.hangUp();
    await network.halt();
    const { store, dataDir } = await emptyPlace();
    expect((await documented('restore', file, dataDir, store)).code).toBe(0);
    const { databaseUrl } = store;
    const old = await startCoordinator(
      coordinatorOptions(dataDir, network.chain, databaseUrl === undefined ? {} : { databaseUrl }),
    );
    const ready = () => fetch(`${old.url}/v1/ready`);
    await until('not ready', async () => (await ready()).status === 503);
    const { detail } = problemDetails.parse(await (await ready()).json());
    expect(detail).toContain('older than the chain');
    await old.close();
    await network.restart();
  }, 60_000);
});
