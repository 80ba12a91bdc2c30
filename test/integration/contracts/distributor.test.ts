import { type Contract, isCallException } from 'ethers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { merkleTree } from '../../../core/merkle.ts';
import { type Hex32, ZERO_HASH } from '../../../core/primitives.ts';
import type { Struct } from '../../../core/typed-data.ts';
import { type Account, newAccount, startTestChain, type TestChain, transact } from '../../support/chain.ts';
import { Signatory } from '../../support/device.ts';
import { deployWallet1271 } from '../../support/wallet-1271.ts';
import { vectors } from '../../vectors/index.ts';

const DELAY = 1_000;

/** Name of the custom error that a call reverts with; fails when it does not revert. */
async function revertOf(contract: Contract, method: string, ...args: readonly unknown[]): Promise<string> {
  try {
    await contract.getFunction(method).staticCall(...args);
  } catch (error) {
    if (isCallException(error)) return error.revert?.name ?? `unnamed: ${error.shortMessage}`;
    throw error;
  }
  throw new Error(`${method} did not revert`);
}

describe.each([
  { name: 'without activation delay', delay: 0 },
  { name: 'with activation delay', delay: DELAY },
])('distributor $name', ({ delay }) => {
  let chain: TestChain;
  let snapshot: string;
  let consumer: Account;
  let owner: Account;
  const other = newAccount();

  beforeAll(async () => {
    chain = await startTestChain(delay);
    consumer = newAccount();
    owner = newAccount();
    await chain.deposit(consumer, 1_000n);
    // Coins for gas.
    await chain.deposit(owner, 1n);
  });
  afterAll(() => chain.stop());
  beforeEach(async () => {
    snapshot = await chain.provider.send('evm_snapshot', []);
  });
  afterEach(async () => {
    await chain.provider.send('evm_revert', [snapshot]);
  });

  const publisher = () => chain.distributorAs(chain.publisher);
  const view = <T>(method: string, ...args: readonly unknown[]): Promise<T> =>
    publisher()
      .getFunction(method)
      .staticCall(...args);

  async function publish(leaves: readonly { readonly owner: Hex32; readonly cumulative: bigint }[]) {
    const tree = merkleTree(leaves);
    const total = leaves.reduce((sum, leaf) => sum + leaf.cumulative, 0n);
    await transact(publisher(), 'publishRoot', tree.root, total);
    return { tree, index: Number(await view<bigint>('rootCount')) - 1 };
  }
  const activate = async () => {
    await chain.provider.send('evm_increaseTime', [delay + 1]);
    await chain.provider.send('evm_mine', []);
  };
  const leavesOf = (amount: bigint) => [
    { owner: owner.address, cumulative: amount },
    { owner: other.address, cumulative: 5n },
  ];
  const now = async () => (await chain.provider.getBlock('latest'))?.timestamp ?? 0;
  const signatory = () => new Signatory(owner, chain);
  const request = async (change: Partial<Struct<'Claim'>> = {}): Promise<Struct<'Claim'>> => ({
    owner: owner.address,
    recipient: newAccount().address,
    amount: 100n,
    fee: 7n,
    deadline: (await now()) + 100,
    ...change,
  });

  it('pays the difference to what was paid before, once', async () => {
    const first = await publish(leavesOf(100n));
    await activate();
    const proof = first.tree.proofOf(owner.address) ?? [];
    await transact(chain.distributorAs(owner), 'claim', first.index, 100n, proof);
    expect(await chain.balanceOf(owner.address)).toBe(100n);
    expect(await revertOf(chain.distributorAs(owner), 'claim', first.index, 100n, proof)).toBe('NothingDue');

    const second = await publish(leavesOf(130n));
    await activate();
    const newer = second.tree.proofOf(owner.address) ?? [];
    await transact(chain.distributorAs(owner), 'claim', second.index, 130n, newer);
    expect(await chain.balanceOf(owner.address)).toBe(130n);
    expect(await view('claimed', owner.address)).toBe(130n);
    expect(await view('totalClaimed')).toBe(130n);
    expect(await revertOf(chain.distributorAs(owner), 'claim', first.index, 100n, proof)).toBe('NothingDue');
  });

  it('refuses a proof that is not of this leaf', async () => {
    const { tree, index } = await publish(leavesOf(100n));
    await activate();
    const proof = tree.proofOf(owner.address) ?? [];
    expect(await revertOf(chain.distributorAs(owner), 'claim', index, 101n, proof)).toBe('InvalidProof');
    expect(await revertOf(chain.distributorAs(consumer), 'claim', index, 100n, proof)).toBe('InvalidProof');
    expect(await revertOf(chain.distributorAs(owner), 'claim', index + 1, 100n, proof)).toBe('UnknownRoot');
  });

  it('relays a signed claim: the fee to the relayer, the rest to the recipient, once', async () => {
    const { tree, index } = await publish(leavesOf(100n));
    await activate();
    const proof = tree.proofOf(owner.address) ?? [];
    const claim = await request();
    const signature = await signatory().sign('Claim', claim);
    const relayer = chain.distributorAs(consumer);
    await transact(relayer, 'claimFor', claim, index, proof, signature);
    expect(await chain.balanceOf(claim.recipient)).toBe(93n);
    expect(await chain.balanceOf(consumer.address)).toBe(7n);
    expect(await revertOf(relayer, 'claimFor', claim, index, proof, signature)).toBe('NothingDue');
  });

  it('refuses a relayed claim that is late, altered, signed by another, or costs more than it pays', async () => {
    const { tree, index } = await publish(leavesOf(100n));
    await activate();
    const proof = tree.proofOf(owner.address) ?? [];
    const relayer = chain.distributorAs(consumer);
    const claim = await request();
    const signature = await signatory().sign('Claim', claim);
    const altered = { ...claim, recipient: other.address };
    expect(await revertOf(relayer, 'claimFor', altered, index, proof, signature)).toBe('InvalidSignature');
    const foreign = await new Signatory(other, chain).sign('Claim', claim);
    expect(await revertOf(relayer, 'claimFor', claim, index, proof, foreign)).toBe('InvalidSignature');
    const late = await request({ deadline: (await now()) - 1 });
    const lateSignature = await signatory().sign('Claim', late);
    expect(await revertOf(relayer, 'claimFor', late, index, proof, lateSignature)).toBe('Expired');
    const dear = await request({ fee: 101n });
    const dearSignature = await signatory().sign('Claim', dear);
    expect(await revertOf(relayer, 'claimFor', dear, index, proof, dearSignature)).toBe('FeeTooHigh');
  });

  it('accepts the signature of a contract account (ERC-1271) and refuses one it does not vouch for', async () => {
    const wallet = await deployWallet1271(chain, owner);
    const { tree, index } = await publish([{ owner: wallet, cumulative: 50n }]);
    await activate();
    const proof = tree.proofOf(wallet) ?? [];
    const claim = await request({ owner: wallet, amount: 50n, fee: 0n });
    const good = await signatory().sign('Claim', claim);
    const bad = await new Signatory(other, chain).sign('Claim', claim);
    const relayer = chain.distributorAs(consumer);
    expect(await revertOf(relayer, 'claimFor', claim, index, proof, bad)).toBe('InvalidSignature');
    await transact(relayer, 'claimFor', claim, index, proof, good);
    expect(await chain.balanceOf(claim.recipient)).toBe(50n);
  });

  it('publishes only for the publisher, never the empty root, never less, never more than was deposited', async () => {
    const { root } = merkleTree(leavesOf(100n));
    expect(await revertOf(chain.distributorAs(consumer), 'publishRoot', root, 105n)).toBe('NotPublisher');
    expect(await revertOf(publisher(), 'publishRoot', ZERO_HASH, 105n)).toBe('EmptyRoot');
    expect(await revertOf(publisher(), 'publishRoot', root, 1_002n)).toBe('NotFunded');
    await transact(publisher(), 'publishRoot', root, 105n);
    expect(await revertOf(publisher(), 'publishRoot', root, 104n)).toBe('TotalDecreased');
    expect(await view('allocated')).toBe(105n);
    expect(await view('funded')).toBe(1_001n);
  });

  it('never pays more in all than was allocated, whatever the tree says', async () => {
    const tree = merkleTree(leavesOf(100n));
    await transact(publisher(), 'publishRoot', tree.root, 99n);
    await activate();
    const proof = tree.proofOf(owner.address) ?? [];
    expect(await revertOf(chain.distributorAs(owner), 'claim', 0, 100n, proof)).toBe('OverAllocated');
  });

  it('takes deposits only in full and with an amount', async () => {
    expect(await revertOf(chain.distributorAs(consumer), 'fund', 0n)).toBe('ZeroAmount');
    await expect(transact(chain.distributorAs(consumer), 'fund', 1n)).rejects.toThrow();
    expect(await view('funded')).toBe(1_001n);
  });

  it.each(vectors.trees.map((tree) => ({ size: tree.leaves.length, ...tree })))(
    'agrees with the golden tree of $size leaves',
    async ({ root, leaves }) => {
      const total = leaves.reduce((sum, leaf) => sum + leaf.cumulative, 0n);
      await chain.deposit(newAccount(), total);
      await transact(publisher(), 'publishRoot', root, total);
      await activate();
      for (const { owner: account, cumulative, proof } of leaves.slice(-3)) {
        await chain.provider.send('anvil_impersonateAccount', [account]);
        const data = publisher().interface.encodeFunctionData('claim', [0, cumulative, proof]);
        await chain.provider.send('anvil_setBalance', [account, '0xde0b6b3a7640000']);
        const hash = await chain.provider.send('eth_sendTransaction', [{ from: account, to: chain.distributor, data }]);
        await chain.provider.waitForTransaction(hash);
        expect(await chain.balanceOf(account)).toBe(cumulative);
      }
    },
  );

  it('has a guardian who may disable a root until it is active', async () => {
    const before = await publish(leavesOf(10n));
    await activate();
    const { tree, index } = await publish(leavesOf(100n));
    const guardian = chain.distributorAs(chain.guardian);
    expect(await revertOf(chain.distributorAs(consumer), 'disableRoot', index)).toBe('NotGuardian');
    expect(await revertOf(guardian, 'disableRoot', before.index)).toBe('RootAlreadyActive');
    const proof = tree.proofOf(owner.address) ?? [];
    if (delay === 0) {
      expect(await revertOf(guardian, 'disableRoot', index)).toBe('RootAlreadyActive');
      return;
    }
    expect(await revertOf(chain.distributorAs(owner), 'claim', index, 100n, proof)).toBe('RootNotActive');
    await transact(guardian, 'disableRoot', index);
    expect(await revertOf(guardian, 'disableRoot', index)).toBe('RootIsDisabled');
    await activate();
    expect(await revertOf(chain.distributorAs(owner), 'claim', index, 100n, proof)).toBe('RootIsDisabled');
    expect(await view('allocated')).toBe(15n);
    expect((await publish(leavesOf(20n))).index).toBe(2);
  });
});
