import { z } from 'zod';
import { shownAction } from './admin.ts';
import { address, amount, hex32, unixMs } from './primitives.ts';

/** What a network tells of itself to everybody. Nobody is named who is not named in a root. */

/** An epoch without its data set. */
export const epochSummary = z.strictObject({
  epoch: z.number().int().positive(),
  root: hex32,
  /** All that was ever owed to owners, by this root. */
  total: amount,
  owners: z.number().int().nonnegative(),
  closedAt: unixMs,
  /** null: not on chain yet. */
  txHash: hex32.nullable(),
});
export type EpochSummary = z.output<typeof epochSummary>;
export const EPOCHS_A_PAGE = 50;
export const epochsQuery = z.strictObject({ before: z.coerce.number().int().positive().optional() });
export const epochPage = z.strictObject({
  epochs: z.array(epochSummary).max(EPOCHS_A_PAGE),
  /** For `before`; null: there are no older ones. */
  next: z.number().int().nullable(),
});

export const LEAVES_A_PAGE = 500;
export const leavesQuery = z.strictObject({ from: z.coerce.number().int().nonnegative().default(0) });
/** A leaf is keccak256(keccak256(abi.encode(owner, cumulative))), as OpenZeppelin's `standard-v1` trees have it. */
export const leafView = z.strictObject({
  owner: address,
  cumulative: amount,
  leaf: hex32,
  proof: z.array(hex32).max(64),
});
export type LeafView = z.output<typeof leafView>;
export const leafPage = z.strictObject({
  epoch: z.number().int().positive(),
  root: hex32,
  leaves: z.array(leafView).max(LEAVES_A_PAGE),
  /** For `from`; null: these are the last. */
  next: z.number().int().nullable(),
});

export const dayResults = z.strictObject({
  /** In UTC. */
  day: z.iso.date(),
  accepted: z.number().int().nonnegative(),
  rejected: z.number().int().nonnegative(),
});
export type DayResults = z.output<typeof dayResults>;

export const networkStatus = z.strictObject({
  name: z.string(),
  at: unixMs,
  /** Why this coordinator takes no traffic; null: it does. */
  notReady: z.string().nullable(),
  coordinators: z.number().int().positive(),
  /** Connected to any of them. */
  devices: z.number().int().nonnegative(),
  /** These two stop at `countedTo`. */
  openJobs: z.number().int().nonnegative(),
  heldLeases: z.number().int().nonnegative(),
  countedTo: z.number().int().positive(),
  /** The oldest first; days without results are left out. */
  days: z.array(dayResults),
  books: z.strictObject({
    /** When both calculators last counted all of them; null: never. */
    recountedAt: unixMs.nullable(),
    /** Since when each count agreed; null: the last did not, or there was none. */
    balancedSince: unixMs.nullable(),
    owners: z.number().int().nonnegative(),
    /** By kind of account, base units; they sum to nothing. */
    totals: z.record(z.string(), z.string()),
  }),
  /** The newest. */
  epochs: z.array(epochSummary),
  disabled: z.array(z.strictObject({ workload: z.string(), version: z.string(), why: z.string(), at: unixMs })),
  actions: z.array(shownAction),
});
export type NetworkStatus = z.output<typeof networkStatus>;
