import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Tokens } from '../../../coordinator/access.ts';
import { openBlobs } from '../../../coordinator/blobs.ts';
import { openChain } from '../../../coordinator/chain.ts';
import { Changes, type Context } from '../../../coordinator/context.ts';
import { DayCounts } from '../../../coordinator/day-counts.ts';
import type { Db } from '../../../coordinator/db.ts';
import { enrol } from '../../../coordinator/devices.ts';
import { Disabled } from '../../../coordinator/disabled.ts';
import { insertJob } from '../../../coordinator/jobs.ts';
import { fastKeccak } from '../../../coordinator/keccak.ts';
import { findLease, insertLeases } from '../../../coordinator/leases.ts';
import { Metrics } from '../../../coordinator/metrics.ts';
import { Consumers } from '../../../coordinator/quotas.ts';
import { Readiness } from '../../../coordinator/readiness.ts';
import { Replica } from '../../../coordinator/replica.ts';
import { rulesOf } from '../../../coordinator/results.ts';
import { Sessions } from '../../../coordinator/sessions.ts';
import { settle } from '../../../coordinator/settle.ts';
import { SignatureChecks } from '../../../coordinator/signature-checks.ts';
import { Signer } from '../../../coordinator/signing.ts';
import { KeptTotals } from '../../../coordinator/totals.ts';
import { domainOf } from '../../../core/typed-data.ts';
import { type CoordinatorMessage, coordinatorMessage, encodeWire } from '../../../core/wire.ts';
import { newAccount } from '../../support/chain.ts';
import { randomHex32, Signatory } from '../../support/device.ts';
import { coordinatorOptions, WORKLOAD } from '../../support/network.ts';
import { openTestDb } from '../../support/store.ts';
import { until } from '../../support/wait.ts';

const NOW = 1_000_000;

describe('a result that comes while its lease is being taken back', () => {
  let dir: string;
  let db: Db;
  let context: Context;
  /** Happens right before the next transaction. */
  let before: (() => Promise<void>) | null = null;
  const networkId = randomHex32();
  const owner = newAccount();
  const chain = {
    ...{ rpcUrl: 'http://127.0.0.1:1', chainId: 31337, publisher: newAccount() },
    ...{ token: newAccount().address, distributor: newAccount().address },
  };
  const key = new Signatory(newAccount(), chain);
  const messages: CoordinatorMessage[] = [];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'idlemesh-expiry-'));
    db = await openTestDb(dir);
    const options = coordinatorOptions(dir, chain, { clock: { now: () => NOW } });
    const domain = domainOf(chain.chainId, chain.distributor);
    const replica = await Replica.open(db, () => undefined);
    const keccak = await fastKeccak();
    context = {
      ...{ options, networkId, domain, blobs: await openBlobs(join(dir, 'blobs'), 1, () => NOW) },
      db: {
        ...db,
        async tx(work) {
          const happen = before;
          before = null;
          await happen?.();
          return await db.tx(work);
        },
      },
      chain: openChain(options.chain),
      signer: new Signer(chain.publisher.privateKey, domain),
      tokens: new Tokens(new Uint8Array(32)),
      changes: new Changes(),
      consumers: new Consumers({ db, options }),
      replica,
      metrics: new Metrics(),
      totals: new KeptTotals(db, options.clock),
      readiness: new Readiness(db, options.clock, replica),
      disabled: new Disabled(),
      days: new DayCounts(db),
      keccak,
      checks: new SignatureChecks(domain, keccak),
      verification: null,
    };
  });
  afterAll(async () => {
    context.chain.close();
    await db.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('stands, and the device is not told that it was cancelled', async () => {
    const [jobId, leaseId] = [randomHex32(), randomHex32()];
    const device = key.address;
    await enrol(db, { owner: owner.address, device, issuedAt: 1, expiresAt: 2 * NOW }, `0x${'00'.repeat(65)}`, NOW);
    const job = { job_id: jobId, consumer: owner.address, workload: WORKLOAD.id, version: '1.0.0' } as const;
    const rest = { image: WORKLOAD.image, lane: 'cpu', params: {}, input_hash: randomHex32(), input_bytes: 1 } as const;
    await insertJob(db, { ...job, ...rest, price: 1n, pay: 1n, dust: 0n, hold: 3n, replicas: 1, priority: 0 }, 1);
    const lease = { lease_id: leaseId, job_id: jobId, copy: 0, device, owner: owner.address, deadline: NOW - 1 };
    await insertLeases(db, [lease], 1);

    const sessions = new Sessions(context);
    const connection = sessions.connect({
      send: (text) => messages.push(coordinatorMessage.parse(JSON.parse(text))),
      close: () => undefined,
      pause: () => undefined,
    });
    const [challenge] = messages;
    if (challenge?.type !== 'challenge') expect.unreachable();
    const value = { device, networkId, nonce: challenge.nonce, issuedAt: NOW };
    connection.receive(
      encodeWire({
        ...{ type: 'hello', value, signature: await key.sign('Session', value), agent: 'test', platform: 'test' },
        ...{ workloads: [], leases: [leaseId] },
      }),
    );
    await until('the welcome', () => messages.some(({ type }) => type === 'welcome'));

    const result = { leaseId, device, outputHash: randomHex32(), outputBytes: 1, startedAt: 1, finishedAt: 2 };
    const signature = await key.sign('Result', result);
    const happening = { kind: 'result', device, value: result, stored: 1, evidence: { signature } } as const;
    before = async () => {
      await db.tx((sql) => settle(sql, [happening], rulesOf(context), NOW));
    };
    await sessions.expire();
    expect(await findLease(db, leaseId)).toMatchObject({ state: 'finished' });
    expect(messages.filter(({ type }) => type === 'cancel')).toEqual([]);
    connection.ended();
    await sessions.close(1_000);
  });
});
