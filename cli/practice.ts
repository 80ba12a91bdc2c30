import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { computeAddress } from 'ethers';
import { z } from 'zod';
import { startAnvil } from '../contracts/anvil.ts';
import { deployPractice } from '../contracts/deploy.ts';
import { type Coordinator, startCoordinator } from '../coordinator/index.ts';
import { fail, isFailure } from '../core/errors.ts';
import { type Amount, parseTokens } from '../core/money.ts';
import { address } from '../core/primitives.ts';
import { offering, type SignedCatalogue } from './catalogue.ts';
import { Consumer } from './consumer.ts';
import { depositTokens, giveTokens } from './deposit.ts';
import { readKeyFile } from './keyfile.ts';
import type { Logger } from './log.ts';

export type PracticeOptions = {
  readonly dataDir: string;
  /** Of the coordinator. null: the one it had before, else 7350, else any; a network keeps its address. */
  readonly port: number | null;
  readonly catalogue: SignedCatalogue;
  readonly replicas: 0 | 1;
  readonly reportEveryMs: number;
  readonly epochEveryMs: number;
  /** A lease not finished after this long goes to another device. */
  readonly leaseMs: number;
  readonly log: Logger;
};

export type Practice = {
  readonly coordinator: Coordinator;
  readonly rpcUrl: string;
  readonly consumerKey: string;
  /** Tops the consumer's deposit up to `amount`, from the deployer's tokens. */
  readonly ensureDeposit: (amount: Amount) => Promise<void>;
  readonly close: () => Promise<void>;
};

const deployment = z.strictObject({ chainId: z.number().int().positive(), token: address, distributor: address });
type Deployment = z.output<typeof deployment>;

const SYMBOL = 'PRACTICE';

/**
 * A whole network on loopback: a chain, its contracts, a coordinator and a consumer with a deposit. Its tokens are worth
 * nothing and its chain's keys are public knowledge, so it never listens elsewhere. When the chain's state is gone, the
 * coordinator's books are of a network that no longer exists: both start anew.
 */
export async function startPractice(options: PracticeOptions): Promise<Practice> {
  const { dataDir, log } = options;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const chain = await startAnvil({ dataDir: join(dataDir, 'chain') });
  try {
    const [deployer, publisher] = chain.accounts;
    if (deployer === undefined || publisher === undefined) fail('CHAIN_AWAY', 'the practice chain has no accounts');
    const coordinatorDir = join(dataDir, 'coordinator');
    const file = join(dataDir, 'deployment.json');
    let contracts = await readDeployment(file);
    if (contracts === null || !(await hasCode(chain.rpcUrl, contracts.distributor))) {
      if (contracts !== null) log('warn', 'practice-restarted', { why: 'the chain was reset' });
      await rm(coordinatorDir, { recursive: true, force: true });
      contracts = await deployPractice({
        rpcUrl: chain.rpcUrl,
        deployerKey: deployer.privateKey,
        publisher: publisher.address,
        guardian: deployer.address,
      });
      await writeFile(file, JSON.stringify(contracts), { mode: 0o600 });
    }
    const consumerKey = await readKeyFile(join(dataDir, 'consumer.key'), true);
    const start = (port: number) =>
      startCoordinator({
        dataDir: coordinatorDir,
        host: '127.0.0.1',
        port,
        name: 'Practice',
        tokenSymbol: SYMBOL,
        ...offering(options.catalogue),
        chain: { rpcUrl: chain.rpcUrl, ...contracts, privateKey: publisher.privateKey },
        replicas: options.replicas,
        reportEveryMs: options.reportEveryMs,
        epochEveryMs: options.epochEveryMs,
        leaseMs: options.leaseMs,
        maxAttempts: 3,
        keepJobsMs: 15 * 60_000,
        keepBlobsMs: 30 * 60_000,
        maxAccountBytes: 4 * 2 ** 30,
        loopbackWebhooks: true,
        // There is nobody else who could.
        storage: { repairers: [address.parse(computeAddress(consumerKey))] },
        clock: { now: () => Date.now() },
        log,
      });
    const coordinator = await atItsPort(options.port, dataDir, start);
    await writeFile(join(dataDir, PORT_FILE), new URL(coordinator.url).port);
    const topUp = async (amount: Amount): Promise<void> => {
      const consumer = await Consumer.connect(coordinator.url, consumerKey);
      const { deposit } = await consumer.books();
      if (deposit >= amount / 2n) return;
      await giveTokens(consumer.network, deployer.privateKey, consumer.address, amount);
      await depositTokens(consumer.network, consumerKey, amount);
      await booked(consumer, deposit);
    };
    // One at a time: two top-ups at once would use one account's transaction number twice.
    let turn: Promise<void> = Promise.resolve();
    return {
      coordinator,
      rpcUrl: chain.rpcUrl,
      consumerKey,
      ensureDeposit(amount) {
        const mine = turn.then(() => topUp(amount));
        turn = mine.catch(() => undefined);
        return mine;
      },
      async close() {
        await coordinator.close();
        await chain.stop();
      },
    };
  } catch (error) {
    await chain.stop();
    throw error;
  }
}

const PORT_FILE = 'port';
const FIRST_PORT = 7350;

/**
 * Apps remember the address, so it must not move between starts; only a first start may step aside for another program.
 * Throws CONFLICT when another program has taken the port since.
 */
async function atItsPort(
  asked: number | null,
  dataDir: string,
  start: (port: number) => Promise<Coordinator>,
): Promise<Coordinator> {
  const known = Number(await readFile(join(dataDir, PORT_FILE), 'utf8').catch(() => ''));
  const port = asked ?? (Number.isInteger(known) && known > 0 && known < 65_536 ? known : null);
  try {
    return await start(port ?? FIRST_PORT);
  } catch (error) {
    if (!isFailure(error, 'CONFLICT') || error.info['port'] === undefined) throw error;
    if (port === null) return await start(0);
    return fail(
      'CONFLICT',
      `another program uses port ${port}; end it, or choose another with --port`,
      { port },
      error,
    );
  }
}

/** Waits until the coordinator has seen the deposit on chain; it looks at every new block. */
async function booked(consumer: Consumer, before: Amount): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    if ((await consumer.books()).deposit > before) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  fail('TIMEOUT', 'the coordinator has not seen the deposit within 30 s');
}

async function readDeployment(path: string): Promise<Deployment | null> {
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    return deployment.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

async function hasCode(rpcUrl: string, at: string): Promise<boolean> {
  const response = await fetch(rpcUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_getCode', params: [at, 'latest'] }),
  });
  const answer = z.object({ result: z.string() }).parse(await response.json());
  return answer.result !== '0x';
}

export const PRACTICE_LEASE_MS = 10 * 60_000;
export const PRACTICE_DEPOSIT = parseTokens('100');
