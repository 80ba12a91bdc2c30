import { randomFillSync } from 'node:crypto';
import type { Hex32 } from '../core/primitives.ts';

const BYTES = 32;
/** Asked of the system in one go. */
const AHEAD = 128;

const pool = Buffer.alloc(BYTES * AHEAD);
let used = pool.length;

/** A new random id. */
export function randomId(): Hex32 {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += BYTES;
  return `0x${pool.toString('hex', used - BYTES, used)}`;
}
