import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyProof } from '../../../core/merkle.ts';
import { parseTokens } from '../../../core/money.ts';
import { claimAccepted, epoch, networkInfo, ownerProof, problemDetails } from '../../../core/wire.ts';
import { newAccount } from '../../support/chain.ts';
import { getBlob, post, sha256 } from '../../support/device.ts';
import { PRICE, TestNetwork } from '../../support/network.ts';
import { until } from '../../support/wait.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('the whole loop on a real chain and a real database', () => {
  let network: TestNetwork;
  beforeAll(async () => {
    network = await TestNetwork.start();
  }, 60_000);
  afterAll(() => network.stop());

  it('goes from a deposit to tokens in an account, and every unit can be traced', async () => {
    const info = networkInfo.parse(await (await fetch(`${network.url}/v1/network`)).json());
    expect(info.networkId).toBe(network.coordinator.network.networkId);

    const consumer = await network.consumer(parseTokens('10'));
    const device = await network.device();
    const job = await consumer.submit('echo', bytes('in'));
    expect(job).toMatchObject({ state: 'queued', hold: PRICE });
    expect((await network.books(consumer.account.address)).deposit).toBe(parseTokens('9.5'));

    const lease = await device.nextLease();
    expect(lease).toMatchObject({ jobId: job.jobId, price: PRICE, params: { mode: 'plain' }, inputBytes: 2 });
    const input = await getBlob(network.url, device.token, lease.inputHash);
    expect(await input.text()).toBe('in');

    device.send({ type: 'progress', leaseId: lease.leaseId, progress: 0.5 });
    await until('half done', async () => (await consumer.job(job.jobId)).progress === 0.5);
    await device.finish(lease, bytes('out'));
    await device.told('result-stored');
    const { verdict } = await device.told('verdict');
    expect(verdict).toEqual({ leaseId: lease.leaseId, kind: 'accepted', amount: PRICE });

    const done = await consumer.follow(job.jobId, ['done', 'failed']);
    expect(done).toMatchObject({ state: 'done', progress: 1, charged: PRICE, outputHash: sha256(bytes('out')) });
    const output = await getBlob(network.url, consumer.token, sha256(bytes('out')));
    expect(await output.text()).toBe('out');

    const receipt = await device.report([{ leaseId: lease.leaseId, outputHash: sha256(bytes('out')), amount: PRICE }]);
    expect(receipt.value).toMatchObject({ credited: PRICE, cumulative: PRICE, sequence: 1 });
    expect(receipt.outcomes).toEqual([{ leaseId: lease.leaseId, kind: 'credited', amount: PRICE }]);

    const { root } = await device.told('epoch');
    const owner = device.owner.address;
    const proof = ownerProof.parse(await (await fetch(`${network.url}/v1/proofs/${owner}`)).json());
    expect(proof).toMatchObject({ epoch: 1, root, cumulative: PRICE });
    expect(verifyProof(root, { owner, cumulative: PRICE }, proof.proof)).toBe(true);
    const published = epoch.parse(await (await fetch(`${network.url}/v1/epochs/latest`)).json());
    expect(published).toMatchObject({ epoch: 1, root, total: PRICE, entitlements: [{ owner, cumulative: PRICE }] });
    expect(await network.books(owner)).toMatchObject({ credited: PRICE, published: PRICE });

    const recipient = newAccount().address;
    const fee = 5n;
    const deadline = Math.floor(Date.now() / 1000) + 600;
    const value = { owner, recipient, amount: PRICE, fee, deadline };
    const body = { value, signature: await device.owner.sign('Claim', value), epoch: 1, proof: proof.proof };
    const first = claimAccepted.parse(await (await post(`${network.url}/v1/claims`, body)).json());
    expect(await network.chain.balanceOf(recipient)).toBe(PRICE - fee);
    expect(await network.chain.balanceOf(network.coordinator.network.coordinator)).toBe(fee);

    const again = claimAccepted.parse(await (await post(`${network.url}/v1/claims`, body)).json());
    expect(again).toEqual(first);
    for (const change of [{ recipient: newAccount().address }, { fee: 4n }, { deadline: deadline + 1 }]) {
      const other = { ...value, ...change };
      const signature = await device.owner.sign('Claim', other);
      const refused = await post(`${network.url}/v1/claims`, { ...body, value: other, signature });
      expect(problemDetails.parse(await refused.json()).code).toBe('REFUSED');
    }
    expect(await network.chain.balanceOf(recipient)).toBe(PRICE - fee);
  });
});
