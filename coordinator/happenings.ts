import type { Address, Hex32, Signature, UnixMs } from '../core/primitives.ts';
import type { ResultItem } from '../core/typed-data.ts';
import type { Loss } from './verify.ts';

/** Who gave a result: under its own signature, or as one of a batch. */
export type Evidence = { readonly signature: Signature } | { readonly batch: Hex32 };

/** What happens to jobs, from outside. */
export type Happening =
  | {
      readonly kind: 'result';
      readonly device: Address;
      readonly value: ResultItem;
      /** Bytes of the output as it is stored; null: it is not. */
      readonly stored: number | null;
      readonly evidence: Evidence;
      /** Its job, where that is known. */
      readonly of?: Hex32 | null;
    }
  | { readonly kind: 'loss'; readonly leaseId: Hex32; readonly why: string; readonly loss: Loss }
  /** Nobody did it, or confirmed it, for too long. */
  /** What has waited since before `before` has waited too long. */
  | { readonly kind: 'age'; readonly jobId: Hex32; readonly before: UnixMs }
  /** More is known of how its outputs compare, or there may be the money for a copy that it wants. */
  | { readonly kind: 'look'; readonly jobId: Hex32 }
  /** Its consumer does not want it any more. */
  | { readonly kind: 'cancel'; readonly jobId: Hex32 };
