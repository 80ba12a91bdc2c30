import { setTimeout as delay } from 'node:timers/promises';

/** Between two rounds over everything. */
const REST_MS = 24 * 3_600_000;
/** When there is nothing to read yet. */
const EMPTY_MS = 60_000;
const BYTES_A_SECOND = 1024 * 1024;

/**
 * Reads every shard once in a while, slowly, so that one that has rotted is known before somebody needs it.
 * @param {import('./shards.mjs').Shards} shards
 * @param {{readonly bytesASecond?: number, readonly restMs?: number, readonly say: (line: object) => void}} options
 */
export async function scrub(shards, { bytesASecond = BYTES_A_SECOND, restMs = REST_MS, say }) {
  /** @param {number} bytes */
  const pace = (bytes) => delay((bytes / bytesASecond) * 1_000, undefined, { ref: false });
  for (;;) {
    let after = '';
    for (let [next] = shards.list(after, 1); next !== undefined; [next] = shards.list(after, 1)) {
      after = next.hash;
      if (!(await shards.verify(after, pace))) say({ corrupt: after });
    }
    await delay(after === '' ? Math.min(EMPTY_MS, restMs) : restMs, undefined, { ref: false });
  }
}
