import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCoordinator } from '../../../coordinator/index.ts';
import { problemDetails } from '../../../core/wire.ts';
import { newAccount } from '../../support/chain.ts';
import { credit } from '../../support/credit.ts';
import { coordinatorOptions, TestNetwork } from '../../support/network.ts';
import { until } from '../../support/wait.ts';

describe('a coordinator in trouble', () => {
  const owner = newAccount().address;
  const complaints: unknown[] = [];
  let network: TestNetwork;
  beforeAll(async () => {
    network = await TestNetwork.start({
      log: (level, event, fields) => complaints.push({ level, event, code: fields?.['code'] }),
    });
  }, 60_000);
  afterAll(() => network.stop());

  /** Owes an owner more, in the books of a coordinator that is down meanwhile. */
  async function owe(amount: bigint): Promise<void> {
    await network.halt();
    const db = await network.openBooks();
    await credit(db, owner, amount);
    await db.close();
    await network.restart();
  }
  const readyz = async () => {
    const response = await fetch(`${network.url}/readyz`);
    return { http: response.status, reason: response.ok ? null : problemDetails.parse(await response.json()).detail };
  };
  const unready = (what: string) =>
    until(`readyz to say ${what}`, async () => {
      const { http, reason } = await readyz();
      return http === 503 && reason?.startsWith('not ready') && reason.includes(what);
    });
  const ready = () => until('readiness', async () => (await readyz()).http === 200);

  it('is not ready while the contract refuses its root, and says why', async () => {
    await owe(1_000n);
    await unready('NotFunded');
    expect(complaints).toContainEqual({ level: 'error', event: 'epoch-not-published', code: 'REFUSED' });
    await network.chain.deposit(newAccount(), 2_000n);
    await ready();
    expect((await network.books(owner)).published).toBe(1_000n);
  }, 60_000);

  it('is not ready without coins for fees, and does not blame the chain', async () => {
    const { address } = network.chain.publisher;
    const coins = await network.chain.provider.getBalance(address);
    await network.chain.provider.send('anvil_setBalance', [address, '0x0']);
    complaints.length = 0;
    await owe(1n);
    await unready('coins');
    expect(complaints).toContainEqual({ level: 'error', event: 'epoch-not-published', code: 'INSUFFICIENT_FUNDS' });
    await network.chain.provider.send('anvil_setBalance', [address, `0x${coins.toString(16)}`]);
    await ready();
    expect((await network.books(owner)).published).toBe(1_001n);
  }, 60_000);

  it('says which port another program uses', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'idlemesh-port-'));
    const port = Number(new URL(network.url).port);
    const options = coordinatorOptions(dir, network.chain, { port });
    await expect(startCoordinator(options)).rejects.toMatchObject({ code: 'CONFLICT', info: { port } });
    await startCoordinator({ ...options, port: 0 }).then((coordinator) => coordinator.close());
    await rm(dir, { recursive: true, force: true });
  }, 60_000);
});
