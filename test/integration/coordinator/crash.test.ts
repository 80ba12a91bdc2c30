import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseTokens } from '../../../core/money.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import { epoch, type Lease, networkInfo, ownerBooks, ownerProof } from '../../../core/wire.ts';
import { newAccount } from '../../support/chain.ts';
import { ChildCoordinator } from '../../support/child-coordinator.ts';
import { sha256, TestConsumer, TestDevice } from '../../support/device.ts';
import { PRICE, WORKLOAD } from '../../support/network.ts';
import { until } from '../../support/wait.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('kill -9 of a coordinator', () => {
  let coordinator: ChildCoordinator;
  beforeAll(async () => {
    coordinator = await ChildCoordinator.start();
  }, 60_000);
  afterAll(() => coordinator.stop());

  it('loses nothing that was acknowledged and pays nothing twice', async () => {
    const { url, chain } = coordinator;
    const network = networkInfo.parse(await (await fetch(`${url}/v1/network`)).json());
    const consumer = new TestConsumer(url, network);
    await chain.deposit(consumer.account, parseTokens('10'));
    const books = async (owner: string) => ownerBooks.parse(await (await fetch(`${url}/v1/owners/${owner}`)).json());
    await until('the deposit', async () => (await books(consumer.account.address)).deposit > 0n);

    const device = new TestDevice(url, network);
    await device.enrol();
    let held: Hex32[] = [];
    const returns = async () => {
      await device.connect([WORKLOAD], held);
      device.send({ type: 'ready', lane: 'cpu', slots: 1 });
    };
    const killAndReturn = async () => {
      await coordinator.kill();
      await device.hangUp();
      await coordinator.again();
    };
    await returns();

    const jobs: Hex32[] = [];
    const points = ['never', 'ordered', 'leased', 'uploaded', 'finished', 'reported', 'receipted'] as const;
    for (const point of points) {
      let from = device.messages.length;
      const crash = async (here: (typeof points)[number]) => {
        if (here !== point) return;
        await killAndReturn();
        from = device.messages.length;
        await returns();
      };
      const job = await consumer.submit('echo', bytes(point));
      jobs.push(job.jobId);
      await crash('ordered');
      const lease: Lease = await device.nextLease(from);
      held = [lease.leaseId];
      await crash('leased');
      const output = bytes(`${point}!`);
      if (point === 'uploaded') {
        await device.finish(lease, output);
        await killAndReturn();
        from = device.messages.length;
        await returns();
      }
      await device.finish(lease, output);
      await device.told('result-stored', ({ leaseId }) => leaseId === lease.leaseId, from);
      await crash('finished');
      await device.told('verdict', ({ verdict }) => verdict.leaseId === lease.leaseId, from);
      held = [];
      const stored = await device.makeReport([{ leaseId: lease.leaseId, outputHash: sha256(output), amount: PRICE }]);
      device.lastReport = stored;
      device.send({ type: 'report', ...stored, items: [...stored.items] });
      await crash('reported');
      const receipt = await device.sendReport(stored);
      await crash('receipted');
      expect(await device.sendReport(stored)).toEqual(receipt);
      expect(receipt.value).toMatchObject({ credited: PRICE, cumulative: PRICE * BigInt(jobs.length) });
    }

    const owed = PRICE * BigInt(jobs.length);
    for (const jobId of jobs) expect(await consumer.follow(jobId, ['done', 'failed'])).toMatchObject({ state: 'done' });
    await until('all of it published', async () => (await books(device.owner.address)).published === owed);
    expect(await books(device.owner.address)).toMatchObject({ credited: owed });
    expect((await books(consumer.account.address)).deposit).toBe(parseTokens('10') - owed);

    const latest = epoch.parse(await (await fetch(`${url}/v1/epochs/latest`)).json());
    const distributor = chain.distributorAs(chain.deployer);
    expect(await distributor.getFunction('rootCount').staticCall()).toBe(BigInt(latest.epoch));
    expect(latest.total).toBe(owed);
    const proof = ownerProof.parse(await (await fetch(`${url}/v1/proofs/${device.owner.address}`)).json());
    const claim = {
      owner: device.owner.address,
      recipient: newAccount().address,
      amount: owed,
      fee: 0n,
      deadline: Math.floor(Date.now() / 1000) + 600,
    };
    const sent = await distributor
      .getFunction('claimFor')
      .send(claim, proof.epoch - 1, proof.proof, await device.owner.sign('Claim', claim));
    await sent.wait();
    expect(await chain.balanceOf(claim.recipient)).toBe(owed);
    await device.hangUp();
  }, 180_000);
});
