import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Db, integerColumn } from '../../../coordinator/db.ts';
import { openPostgres } from '../../../coordinator/db-postgres.ts';
import { startCoordinator } from '../../../coordinator/index.ts';
import { problemDetails } from '../../../core/wire.ts';
import { newAccount } from '../../support/chain.ts';
import { coordinatorOptions } from '../../support/network.ts';
import { cutConnections, TestPostgres } from '../../support/postgres.ts';
import { until } from '../../support/wait.ts';

const valueRow = z.object({ value: integerColumn });
const said: string[] = [];
const log = (level: string, event: string, fields: unknown = {}) =>
  said.push(`${level} ${event} ${JSON.stringify(fields)}`);

describe('a PostgreSQL server', () => {
  let server: TestPostgres;
  let url: string;
  let db: Db;
  beforeAll(async () => {
    server = await TestPostgres.start();
    url = await server.database();
    db = await openPostgres(url, log);
    await db.exec('CREATE TABLE counter (value BIGINT NOT NULL)');
    await db.exec('INSERT INTO counter VALUES (0)');
  }, 60_000);
  afterAll(async () => {
    await db.close();
    await server.close();
  });
  const value = async () => (await db.query(valueRow, 'SELECT value FROM counter'))[0]?.value;

  it('that crashes keeps what was acknowledged, and is found again when it is back', async () => {
    let acknowledged = 0;
    let refused = 0;
    let writing = true;
    const writer = (async () => {
      while (writing) {
        await db
          .tx((sql) => sql.exec('UPDATE counter SET value = value + 1'))
          .then(
            () => {
              acknowledged += 1;
            },
            async (error: unknown) => {
              expect(error).toMatchObject({ code: 'DATABASE_AWAY' });
              refused += 1;
              await new Promise((resolve) => setTimeout(resolve, 50));
            },
          );
      }
    })();
    await until('some writes', () => acknowledged > 50);
    await server.kill();
    await until('refusals', () => refused > 2);
    const before = acknowledged;
    await server.run();
    await until('writes again', () => acknowledged > before + 10);
    writing = false;
    await writer;
    const stored = (await value()) ?? expect.unreachable();
    // One commit may have gone through without its answer.
    expect(stored - acknowledged).toBeGreaterThanOrEqual(0);
    expect(stored - acknowledged).toBeLessThanOrEqual(1);
  }, 60_000);

  it('that cuts every connection is asked anew', async () => {
    await value();
    await cutConnections(url);
    await until('an answer', () => value().catch(() => null));
  });

  it('is waited for at the start, with a word about it, until it is there or the waiting is ended', async () => {
    await db.close();
    await server.kill();
    said.length = 0;
    const given = new AbortController();
    const hopeless = openPostgres(url, log, given.signal);
    const patient = openPostgres(url, log);
    await until('a word', () => said.some((line) => line.startsWith('warn database-awaited')));
    given.abort();
    await expect(hopeless).rejects.toMatchObject({ code: 'CANCELLED' });
    await server.run();
    db = await patient;
    expect(await value()).toBeGreaterThan(0);
  }, 60_000);

  it('that does not let us in is refused at once, and no password is in what is said of it', async () => {
    const nowhere = new URL(url);
    nowhere.pathname = '/nowhere';
    nowhere.searchParams.set('password', 'hunter2 & more');
    said.length = 0;
    const failure = await openPostgres(nowhere.toString(), log).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'REFUSED' });
    expect(String(failure)).toContain('nowhere');
    expect(`${String(failure)} ${JSON.stringify(failure)} ${said.join()}`).not.toContain('hunter2');
  });

  it('is brought up to date by one of several that open it at once', async () => {
    const dbs = await Promise.all([1, 2, 3, 4].map(() => openPostgres(url, log)));
    for (const one of dbs) await one.close();
  });

  it('is insisted on where the chain carries real money', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'idlemesh-public-'));
    const chain = { rpcUrl: 'http://127.0.0.1:1', chainId: 8453, publisher: newAccount() };
    const options = coordinatorOptions(dataDir, {
      ...{ ...chain, token: newAccount().address, distributor: newAccount().address },
    });
    await expect(startCoordinator(options)).rejects.toMatchObject({
      code: 'REFUSED',
      message: expect.stringContaining('DATABASE_URL'),
    });
    const coordinator = await startCoordinator({ ...options, databaseUrl: url });
    await coordinator.close();
    await rm(dataDir, { recursive: true, force: true });
  }, 60_000);

  it('that goes away under a coordinator makes it answer 503, and leaves it running until it is back', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'idlemesh-away-'));
    const chain = { rpcUrl: 'http://127.0.0.1:1', chainId: 31_337, publisher: newAccount() };
    const coordinator = await startCoordinator({
      ...coordinatorOptions(dataDir, { ...chain, token: newAccount().address, distributor: newAccount().address }),
      databaseUrl: url,
    });
    const ask = (path: string) => fetch(`${coordinator.url}${path}`);
    const books = `/v1/owners/${newAccount().address}`;
    const answers = async (status: number) =>
      (await ask(books)).status === status && (await ask('/readyz')).status === status;
    await until('answers', () => answers(200));
    await server.kill();
    await until('503', () => answers(503));
    const problem = problemDetails.parse(await (await ask(books)).json());
    expect(problem).toMatchObject({ code: 'COORDINATOR_AWAY', detail: expect.stringContaining('try again') });
    expect(problem.detail).not.toContain('idlemesh-pg');
    await server.run();
    await until('answers again', () => answers(200));
    await coordinator.close();
    await rm(dataDir, { recursive: true, force: true });
  }, 60_000);
});
