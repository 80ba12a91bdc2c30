import { z } from 'zod';
import type { Hex32 } from '../../core/primitives.ts';
import { hex32 } from '../../core/primitives.ts';
import type { KeptShard } from '../../core/storage-terms.ts';
import { acknowledgement, agreement, keptShard } from '../../core/wire-storage.ts';

/** What this device remembers of one agreement. */
export const agreementRecord = z.strictObject({
  version: z.literal(1),
  networkId: hex32,
  terms: agreement,
  /** What it has signed for; null: shards still come. */
  kept: z.strictObject({ shards: z.array(keptShard), acknowledgement }).nullable(),
});
export type AgreementRecord = z.output<typeof agreementRecord>;

/** Agreements on disk. What `save` has taken is there after `kill -9`. */
export type AgreementShelf = {
  /** All of them, of every network; one that cannot be read is left where it is and not answered. */
  readonly load: () => Promise<readonly AgreementRecord[]>;
  /** Throws DISK_FULL. */
  readonly save: (record: AgreementRecord) => Promise<void>;
  /**
   * A shard is about to come. Written before it does: whatever lies in the vault and is named nowhere belongs to nobody. What is noted may be
   * lost with the power: its consumer then sends it again.
   */
  readonly note: (agreementId: Hex32, shard: KeptShard) => Promise<void>;
  readonly noted: (agreementId: Hex32) => Promise<readonly KeptShard[]>;
  readonly drop: (agreementId: Hex32) => Promise<void>;
};
