import { createHmac } from 'node:crypto';
import type { Hex32 } from '../../core/primitives.ts';

/** Known to the coordinators alone: whoever has it can tell which results are looked at. Never logged. */
export type Secret = Uint8Array | string;

/** What a draw is for; draws for different things tell nothing of each other. */
export type Purpose =
  | 'replicate'
  | 'canary'
  | 'canary-job'
  | 'canary-id'
  | 'recheck'
  | 'recheck-id'
  | 'offer'
  | 'rows'
  | 'edge';

const SEPARATOR = '\u0000';

function digest(secret: Secret, purpose: Purpose, parts: readonly (string | number)[]): Buffer {
  return createHmac('sha256', secret)
    .update([purpose, ...parts].join(SEPARATOR))
    .digest();
}

const BYTES_A_DRAW = 6;
const TWO_48 = 2 ** 48;

/**
 * A number from 0 to below 1 that follows from the secret and from what is drawn for, and from nothing else. Lease ids are chosen by the
 * coordinator, so no device can tell it beforehand or try again for a better one.
 */
export const draw = (secret: Secret, purpose: Purpose, ...parts: readonly (string | number)[]): number =>
  digest(secret, purpose, parts).readUIntBE(0, BYTES_A_DRAW) / TWO_48;

/** Looks like the digest of anything else. */
export const drawId = (secret: Secret, purpose: Purpose, ...parts: readonly (string | number)[]): Hex32 =>
  `0x${digest(secret, purpose, parts).toString('hex')}`;

/** The list in an order that nobody outside can foresee: Fisher and Yates' shuffle, fed by the keyed hash of a counter. */
export function shuffled<T>(secret: Secret, purpose: Purpose, salt: string, list: readonly T[]): readonly T[] {
  const order = [...list];
  let block: Buffer = Buffer.alloc(0);
  let [used, blocks] = [0, 0];
  for (let left = order.length; left > 1; left--) {
    if (used + BYTES_A_DRAW > block.length) {
      block = digest(secret, purpose, [salt, blocks++]);
      used = 0;
    }
    const at = Math.floor((block.readUIntBE(used, BYTES_A_DRAW) / TWO_48) * left);
    used += BYTES_A_DRAW;
    const [last, drawn] = [order[left - 1], order[at]];
    if (last !== undefined && drawn !== undefined) [order[left - 1], order[at]] = [drawn, last];
  }
  return order;
}
