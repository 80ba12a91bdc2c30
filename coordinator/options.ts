import type { Catalogue } from '../core/catalogue.ts';
import type { Amount } from '../core/money.ts';
import type { Address, UnixMs } from '../core/primitives.ts';
import type { VerifierTask } from '../core/verifier.ts';
import type { Quotas } from './quotas.ts';
import type { RelayLimits } from './relay.ts';
import type { S3Options } from './s3.ts';
import type { StorageOptions } from './storage/terms.ts';
import type { VerificationPolicy } from './verification/policy.ts';

export type Clock = { readonly now: () => UnixMs };

/** Structured; fields never hold a secret. */
export type Log = (
  level: 'debug' | 'info' | 'warn' | 'error',
  event: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

/**
 * Runs a workload's verifier in the sandbox that all work has. 0: the outputs are the same answer; 1: they are not; anything else: it cannot
 * say. Throws when it could not be run at all, and CANCELLED by `signal`: then nothing is known.
 */
export type RunVerifier = (task: VerifierTask, signal: AbortSignal) => Promise<number>;

export type ChainOptions = {
  readonly rpcUrl: string;
  readonly chainId: number;
  readonly token: Address;
  readonly distributor: Address;
  /** Signs receipts, publishes roots, relays claims. Never logged. */
  readonly privateKey: string;
  /** Blocks on top of one before what it says counts; 0 or absent: at once, which is right for a practice chain alone. */
  readonly confirmations?: number;
  /** The block from which on the distributor is there: nothing is looked for before it. */
  readonly startBlock?: number;
};

export type CoordinatorOptions = {
  /** Its own folder: blobs, and with no `databaseUrl` the database with its lock file. */
  readonly dataDir: string;
  /** `postgres://…`: the books are there, and other replicas may share them. Never logged. Without: they are in the folder. */
  readonly databaseUrl?: string;
  /** Blobs are in this bucket; without: in the folder, which replicas then have to share. */
  readonly s3?: S3Options;
  /** Ends the waiting for a database that is away; what runs is ended with `close`. */
  readonly signal?: AbortSignal;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Addresses or networks of proxies that say whose request it is; of others that word counts for nothing. */
  readonly trustedProxies?: readonly string[];
  readonly name: string;
  readonly tokenSymbol: string;
  /** What may be ordered; its signatures were checked by who starts the coordinator. */
  readonly catalogue: Catalogue;
  /** The same as it is signed, for the devices; null: none is offered to them. */
  readonly release: { readonly envelope: string; readonly expiresAt: UnixMs } | null;
  readonly chain: ChainOptions;
  /** Ten-thousandths of a job's price that are the network's; absent: none. */
  readonly feeBps?: number;
  /** Base units for each MiB that a device delivers; absent: 19,531,250,000,000. */
  readonly deliveryPrice?: Amount;
  /**
   * Trust, canaries and hold-back (decision 0026), with the network's own deposit and a share of the price to pay for them; absent or null:
   * each job is done as ordered, and nothing is remembered of who did it.
   */
  readonly verification?: VerificationPolicy | null;
  /** With it: ten-thousandths of each price, beside the network's, that pay for checks; absent: 500. */
  readonly checksBps?: number;
  /** For so long a credit can be clawed back before it matures; absent: not at all, it is in the next root. Not asked where `verification` is. */
  readonly maturityMs?: number;
  /** How many other results an item must agree with. */
  readonly replicas: 0 | 1;
  readonly reportEveryMs: number;
  readonly epochEveryMs: number;
  /** A lease not finished after this long is given to another device. */
  readonly leaseMs: number;
  /** However often a device says that it is at work, a lease is given to another this long after it was handed out; absent: a day. */
  readonly longestLeaseMs?: number;
  /** So many devices that failed a job, or let its lease expire, fail it and its hold goes back; each is asked as often. */
  readonly maxAttempts: number;
  /** An open job that no device could do for this long fails and its hold goes back. */
  readonly keepJobsMs: number;
  /** Inputs and outputs unused for this long are removed, unless an open job needs them. */
  readonly keepBlobsMs: number;
  /** Blobs that one account may have here, bytes; of a device only those that are no result of its leases count. */
  readonly maxAccountBytes: number;
  /** What one consumer may ask; the rest is DEFAULT_QUOTAS. */
  readonly quotas?: Partial<Quotas>;
  /** For so long it stays where it is, not ready and with no new work, before it ends its sessions; absent: not at all. */
  readonly drainMs?: number;
  /** Metrics for Prometheus are served there; port 0: any. Absent: nowhere. */
  readonly metrics?: { readonly host: string; readonly port: number };
  /** Whose signed orders are carried out; absent: nobody's. */
  readonly admins?: readonly Address[];
  /** A proof of a GPU's throughput holds for so long; absent: a day. */
  readonly gpuProofMs?: number;
  /** Runs the verifiers of workloads that have one; absent: such work cannot be ordered here. */
  readonly runVerifier?: RunVerifier;
  /** Where consumers and devices reach this very process; absent: where they reach the network. Needed where several share the books. */
  readonly relayUrl?: string;
  /** What its relay carries at once; the rest is DEFAULT_RELAY. */
  readonly relay?: Partial<RelayLimits>;
  /** What keeping files costs, and who repairs them; absent: the default price, and nobody. */
  readonly storage?: StorageOptions;
  /** Orders may send word to this machine, without TLS: for practice and tests. */
  readonly loopbackWebhooks?: boolean;
  readonly clock: Clock;
  readonly log: Log;
};
