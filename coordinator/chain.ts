import {
  Contract,
  type ContractTransactionResponse,
  isCallException,
  isError,
  JsonRpcProvider,
  Network,
  Result,
  Wallet,
} from 'ethers';
import { z } from 'zod';
import { DISTRIBUTOR_ABI } from '../core/abi.ts';
import { Failure, fail, isFailure } from '../core/errors.ts';
import type { Amount } from '../core/money.ts';
import { type Address, address, type Hex32, hex32, type Signature } from '../core/primitives.ts';
import type { Struct } from '../core/typed-data.ts';
import type { ChainOptions } from './options.ts';

export type Deposit = {
  readonly from: Address;
  readonly amount: Amount;
  readonly txHash: Hex32;
  /** Counts within the block, so it is another when the block is replaced. */
  readonly logIndex: number;
};

/** What a claim paid, as far as the books care. */
type ClaimEvent = {
  readonly owner: Address;
  /** In all time, this claim included. */
  readonly cumulative: Amount;
  readonly block: number;
  readonly txHash: Hex32;
};

/** Waiting ends in one of the other two, and both are for ever. */
export type RootState = 'waiting' | 'active' | 'disabled';

/** The distributor as the coordinator uses it. Every call throws CHAIN_AWAY when no node answers, REFUSED when it reverts,
 * and what sends a transaction INSUFFICIENT_FUNDS when there are no coins for its fee. */
export type Chain = {
  /** The newest block that is confirmed; -1 when none is. */
  readonly head: () => Promise<number>;
  /** Null when the chain has no such block. */
  readonly blockHash: (block: number) => Promise<Hex32 | null>;
  /** Nothing that concerns the distributor is before it. */
  readonly startBlock: number;
  /** Deposits in the blocks from `fromBlock` to `toBlock`, both included. */
  readonly deposits: (fromBlock: number, toBlock: number) => Promise<readonly Deposit[]>;
  /** In the order of the chain. */
  readonly claims: (fromBlock: number, toBlock: number) => Promise<readonly ClaimEvent[]>;
  readonly rootCount: () => Promise<number>;
  /** Whether the contract pays from the root at an index by the time of the newest block. */
  readonly rootState: (rootIndex: number) => Promise<RootState>;
  /** Root at an index and the transaction that published it; null when there is none. */
  readonly publication: (rootIndex: number) => Promise<{ readonly root: Hex32; readonly txHash: Hex32 } | null>;
  /**
   * Publishes a root at an index; resolves when mined. Throws TIMEOUT while an earlier transaction waits to be mined, which may
   * be this very one, and CONFLICT when the index is not the next.
   */
  readonly publish: (root: Hex32, total: Amount, rootIndex: number) => Promise<Hex32>;
  readonly claimedBy: (owner: Address) => Promise<Amount>;
  /** The transaction that relayed this very claim; null when there is none. */
  readonly findClaim: (claim: Struct<'Claim'>) => Promise<Hex32 | null>;
  /** Resolves when mined. */
  readonly claimFor: (
    claim: Struct<'Claim'>,
    rootIndex: number,
    proof: readonly Hex32[],
    signature: Signature,
  ) => Promise<Hex32>;
  readonly close: () => void;
};

/** A transaction not mined within this is reported as TIMEOUT; whether it was mined is looked up before the next try. */
const MINED_WITHIN_MS = 60_000;

export function openChain(options: ChainOptions): Chain {
  const provider = new JsonRpcProvider(options.rpcUrl, Network.from(options.chainId), {
    staticNetwork: true,
    cacheTimeout: -1,
    pollingInterval: 200,
  });
  const { startBlock = 0, confirmations = 0 } = options;
  const wallet = new Wallet(options.privateKey, provider);
  const contract = new Contract(options.distributor, DISTRIBUTOR_ABI, wallet);

  const read = async <T>(schema: z.ZodType<T>, method: string, ...args: readonly unknown[]): Promise<T> =>
    schema.parse(await guarded(() => contract.getFunction(method).staticCall(...args)));

  let close: () => void = () => undefined;
  const closed = new Promise<never>((_resolve, reject) => {
    close = () => {
      provider.destroy();
      reject(new Failure('CHAIN_AWAY', 'the coordinator goes down and waits for no block'));
    };
  });
  // Nobody may be waiting.
  closed.catch(() => undefined);

  // One at a time: two transactions in flight from one account would race for a nonce.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = (prepare: () => Promise<{ readonly nonce?: number }>, method: string, args: readonly unknown[]) => {
    const run = turn.then(() =>
      guarded(async () => {
        const overrides = await prepare();
        await contract.getFunction(method).staticCall(...args);
        const sent: ContractTransactionResponse = await contract.getFunction(method).send(...args, overrides);
        const mined = await Promise.race([sent.wait(1, MINED_WITHIN_MS), closed]);
        return hex32.parse(mined?.hash);
      }),
    );
    turn = run.catch(() => undefined);
    return run;
  };

  /**
   * The number of the next transaction, taken before the roots are counted: should one that was sent earlier be mined in
   * between, this number is used up and the node refuses it, so a root cannot be published twice.
   */
  async function beforeRoot(rootIndex: number): Promise<{ readonly nonce: number }> {
    const [nonce, pending] = await Promise.all([wallet.getNonce('latest'), wallet.getNonce('pending')]);
    if (pending > nonce) fail('TIMEOUT', 'an earlier transaction still waits to be mined', { nonce, pending });
    const next = await read(count, 'rootCount');
    if (next !== rootIndex) fail('CONFLICT', `the next root on chain is number ${next}, not ${rootIndex}`, { next });
    return { nonce };
  }

  const events = async (
    filter: Parameters<Contract['queryFilter']>[0],
    fromBlock: number,
    toBlock: number | 'latest',
  ) => await guarded(() => contract.queryFilter(filter, fromBlock, toBlock));

  return {
    head: async () => Math.max(-1, (await guarded(() => provider.getBlockNumber())) - confirmations),
    async blockHash(number) {
      const block = await guarded(() => provider.getBlock(number));
      return block === null ? null : hex32.parse(block.hash);
    },
    startBlock,
    async claims(fromBlock, toBlock) {
      const logs = await events(contract.getEvent('Claimed')(), fromBlock, toBlock);
      return logs.flatMap((log) =>
        'args' in log
          ? [
              {
                ...claimedArgs.parse(log.args.toObject()),
                ...{ block: log.blockNumber, txHash: hex32.parse(log.transactionHash) },
              },
            ]
          : [],
      );
    },
    async deposits(fromBlock, toBlock) {
      const logs = await events(contract.getEvent('Funded')(), fromBlock, toBlock);
      return logs.flatMap((log) =>
        'args' in log
          ? [
              {
                ...fundedArgs.parse(log.args.toObject()),
                txHash: hex32.parse(log.transactionHash),
                logIndex: log.index,
              },
            ]
          : [],
      );
    },
    rootCount: () => read(count, 'rootCount'),
    async rootState(rootIndex) {
      const [{ activatedAt, disabled }, block] = await Promise.all([
        read(rootEntry, 'rootAt', rootIndex).catch(lostRoot),
        guarded(() => provider.getBlock('latest')),
      ]);
      if (disabled) return 'disabled';
      return block !== null && BigInt(block.timestamp) >= activatedAt ? 'active' : 'waiting';
    },
    async publication(rootIndex) {
      const [log] = await events(contract.getEvent('RootPublished')(rootIndex), startBlock, 'latest');
      if (log === undefined || !('args' in log)) return null;
      return { root: hex32.parse(log.args.getValue('root')), txHash: hex32.parse(log.transactionHash) };
    },
    publish: (root, total, rootIndex) => inTurn(() => beforeRoot(rootIndex), 'publishRoot', [root, total]),
    claimedBy: (owner) => read(z.bigint(), 'claimed', owner),
    async findClaim(claim) {
      const logs = await events(contract.getEvent('Claimed')(claim.owner, claim.recipient), startBlock, 'latest');
      const log = logs.find((entry) => 'args' in entry && entry.args.getValue('cumulative') === claim.amount);
      if (log === undefined) return null;
      // The event does not say until when and for which fee the claim was signed.
      const sent = await guarded(() => provider.getTransaction(log.transactionHash));
      const call = sent === null ? null : contract.interface.parseTransaction(sent);
      const relayed = call?.name === 'claimFor' ? relayedClaim.safeParse(call.args.getValue('request')) : null;
      if (relayed?.success !== true) return null;
      const { fee, deadline } = relayed.data;
      return fee === claim.fee && deadline === BigInt(claim.deadline) ? hex32.parse(log.transactionHash) : null;
    },
    claimFor: (claim, rootIndex, proof, signature) =>
      inTurn(async () => ({}), 'claimFor', [claim, rootIndex, [...proof], signature]),
    close: () => close(),
  };
}

const count = z.bigint().transform(Number);
/** A root that the chain lost: it is published again before long. */
function lostRoot(error: unknown): z.output<typeof rootEntry> {
  if (isFailure(error, 'REFUSED') && error.info['revert'] === 'UnknownRoot') {
    return { activatedAt: 2n ** 64n, disabled: false };
  }
  throw error;
}
const rootEntry = z
  .instanceof(Result)
  .transform((entry): unknown => entry.toObject())
  .pipe(z.object({ activatedAt: z.bigint(), disabled: z.boolean() }));
const relayedClaim = z
  .instanceof(Result)
  .transform((claim): unknown => claim.toObject())
  .pipe(z.object({ fee: z.bigint(), deadline: z.bigint() }));
const fundedArgs = z.object({ from: address, amount: z.bigint() });
const claimedArgs = z.object({ owner: address, cumulative: z.bigint() });

/** Translates what ethers throws: a revert is REFUSED with its name, what is not known means that the chain is away. */
async function guarded<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof Failure || error instanceof z.ZodError) throw error;
    if (isCallException(error)) {
      const name = error.revert?.name ?? 'reverted';
      fail('REFUSED', `the contract refuses: ${name}`, { revert: name }, error);
    }
    if (isError(error, 'TIMEOUT')) fail('TIMEOUT', 'the chain has not mined the transaction in time', {}, error);
    if (isError(error, 'INSUFFICIENT_FUNDS')) {
      fail(
        'INSUFFICIENT_FUNDS',
        "the coordinator's account has no coins for the chain's fees; send it some",
        {},
        error,
      );
    }
    const message = error instanceof Error ? error.message : String(error);
    fail('CHAIN_AWAY', `the chain does not answer: ${message.slice(0, 200)}`, {}, error);
  }
}
