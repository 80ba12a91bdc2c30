import { asFailure, fail } from '../core/errors.ts';
import { verifyProof } from '../core/merkle.ts';
import { type Amount, RELAY_FEE } from '../core/money.ts';
import type { Address, Known } from '../core/primitives.ts';
import type { WalletView, Withdrawal } from '../core/snapshot.ts';
import type { NetworkInfo } from '../core/wire.ts';
import type { CoordinatorLink, Ports } from './ports.ts';

const AGAIN_MS = { first: 5_000, last: 60_000 } as const;
/** A chain answers but never calls: that it went away is noticed by asking, seldom. */
const RECHECK_MS = 30_000;
/** How long a signed claim may be relayed, seconds. */
const CLAIM_SECONDS = 3_600;

/** What the owner has, may take and is taking. Balances are read on events, and seldom otherwise. */
export type Wallet = {
  /** Reads balances and the proof anew. */
  readonly refresh: () => void;
  /** Starts a withdrawal of all that is claimable. Throws CONFLICT, COORDINATOR_AWAY; the rest is in the view. */
  readonly withdraw: (recipient: Address | null) => void;
  readonly view: () => WalletView;
  readonly published: () => Known<Amount>;
  readonly claimed: () => Known<Amount>;
  readonly chainFault: () => string | null;
  readonly reset: () => void;
};

type WalletOptions = {
  readonly ports: Pick<Ports, 'clock' | 'log' | 'vault' | 'chain'>;
  readonly network: () => NetworkInfo | null;
  readonly link: () => CoordinatorLink | null;
  readonly changed: () => void;
};

export function createWallet({ ports, network, link, changed }: WalletOptions): Wallet {
  const { clock, log, vault, chain } = ports;
  let balance: Known<Amount> = 'unknown';
  let claimed: Known<Amount> = 'unknown';
  let published: Known<Amount> = 'unknown';
  let chainFault: string | null = null;
  let withdrawal: Withdrawal = { kind: 'idle' };
  let wait: number = AGAIN_MS.first;
  let cancelAgain = (): void => undefined;
  let reading = false;
  let readAgain = false;
  let generation = 0;

  function again(): void {
    cancelAgain();
    cancelAgain = clock.after(wait, refresh);
    wait = Math.min(wait * 2, AGAIN_MS.last);
  }

  function refresh(): void {
    if (reading) {
      readAgain = true;
      return;
    }
    reading = true;
    void read().finally(() => {
      reading = false;
      changed();
      if (!readAgain) return;
      readAgain = false;
      refresh();
    });
  }

  async function read(): Promise<void> {
    const [at, mine] = [network(), generation];
    cancelAgain();
    if (at === null) return;
    const [chainSays, proofSays] = await Promise.allSettled([
      Promise.all([chain.balanceOf(at, vault.owner), chain.claimedBy(at, vault.owner)]),
      link()?.proof() ?? Promise.reject(new Error('no link')),
    ]);
    if (mine !== generation) return;
    if (chainSays.status === 'fulfilled') {
      [balance, claimed] = chainSays.value;
      chainFault = null;
      wait = AGAIN_MS.first;
      cancelAgain = clock.after(RECHECK_MS, refresh);
    } else {
      [balance, claimed] = ['unknown', 'unknown'];
      chainFault = asFailure(chainSays.reason).message;
      log('warn', 'chain-away', { detail: chainFault });
      again();
    }
    // The last proof stays true while the coordinator is away: roots only grow.
    if (proofSays.status === 'fulfilled') published = proofSays.value?.cumulative ?? 0n;
  }

  const claimable = (): Known<Amount> => {
    if (published === 'unknown' || claimed === 'unknown') return 'unknown';
    return published > claimed ? published - claimed : 0n;
  };

  function enter(next: Withdrawal): void {
    withdrawal = next;
    changed();
  }

  async function run(at: NetworkInfo, over: CoordinatorLink, recipient: Address): Promise<void> {
    let amount: Amount = 0n;
    try {
      const proof = await over.proof();
      if (proof === null) fail('REFUSED', 'nothing has been published for this owner yet; the next epoch brings it');
      const taken = await chain.claimedBy(at, vault.owner);
      amount = proof.cumulative - taken;
      if (amount <= 0n) fail('REFUSED', 'everything that was published has been withdrawn already');
      if (!verifyProof(proof.root, { owner: vault.owner, cumulative: proof.cumulative }, proof.proof)) {
        fail('REFUSED', 'the proof of the network does not lead to its root; nothing was signed');
      }
      enter({ kind: 'signing', amount });
      const deadline = Math.floor(clock.now() / 1000) + CLAIM_SECONDS;
      const claim = { owner: vault.owner, recipient, amount: proof.cumulative, fee: RELAY_FEE, deadline };
      const signature = await vault.sign(at, 'Claim', claim);
      enter({ kind: 'relaying', amount });
      const txHash = await over.relayClaim(claim, signature, proof);
      enter({ kind: 'confirming', amount, txHash });
      await chain.confirm(at, txHash);
      enter({ kind: 'done', amount, txHash, at: clock.now() });
    } catch (error) {
      const { code, message } = asFailure(error);
      log('warn', 'withdrawal-failed', { code, detail: message });
      enter({ kind: 'failed', amount, failure: { code, message }, at: clock.now() });
    }
    refresh();
  }

  return {
    refresh,
    withdraw(recipient) {
      if (withdrawal.kind === 'signing' || withdrawal.kind === 'relaying' || withdrawal.kind === 'confirming') {
        fail('CONFLICT', 'a withdrawal is under way already');
      }
      const [at, over] = [network(), link()];
      if (at === null || over === null) {
        fail('COORDINATOR_AWAY', 'the network cannot be reached; withdraw again when it answers');
      }
      const known = claimable();
      enter({ kind: 'signing', amount: known === 'unknown' ? 0n : known });
      void run(at, over, recipient ?? vault.owner);
    },
    view: () => ({
      owner: vault.owner,
      device: vault.device,
      protection: vault.protection,
      balance,
      claimable: claimable(),
      withdrawal,
    }),
    published: () => published,
    claimed: () => claimed,
    chainFault: () => chainFault,
    reset() {
      generation++;
      cancelAgain();
      [balance, claimed, published] = ['unknown', 'unknown', 'unknown'];
      chainFault = null;
      wait = AGAIN_MS.first;
    },
  };
}
