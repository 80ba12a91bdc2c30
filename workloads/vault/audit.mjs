import { createHash } from 'node:crypto';

/**
 * Which blocks of `totalBytes` an audit reads (docs/decisions/0029): the i-th candidate is the first 8 bytes, big-endian, of
 * SHA-256(seed ‖ uint32be(i)), modulo the number of blocks; one that was drawn before is skipped.
 * @param {Uint8Array} seed 32 bytes
 * @param {number} totalBytes
 * @param {number} blocks drawn at most
 * @param {number} blockBytes
 * @returns {readonly number[]} indices of blocks, ascending
 */
export function positionsOf(seed, totalBytes, blocks, blockBytes) {
  const count = Math.ceil(totalBytes / blockBytes);
  const drawn = new Set();
  const counter = Buffer.alloc(4);
  for (let turn = 0; drawn.size < Math.min(blocks, count); turn++) {
    counter.writeUInt32BE(turn);
    const digest = createHash('sha256').update(seed).update(counter).digest();
    drawn.add(Number(digest.readBigUInt64BE() % BigInt(count)));
  }
  return [...drawn].sort((a, b) => a - b);
}

/**
 * @typedef {{readonly hash: string, readonly bytes: number}} Shard
 * @typedef {{readonly from: number, readonly to: number, at: number}} Piece
 * @typedef {{readonly hash: string, readonly parts: readonly {readonly at: number, readonly offset: number, readonly bytes: number}[]}} Job
 * @typedef {(hash: string) => Promise<{readonly read: (into: Uint8Array, at: number) => Promise<number>, readonly close: () => Promise<void>}>} Open
 */

/** Shards that are read at a time: each holds a file open. */
const AT_ONCE = 16;

/**
 * SHA-256(seed ‖ the blocks in ascending order) over the shards one behind the other.
 * @param {{readonly shards: readonly Shard[], readonly seed: Uint8Array, readonly blocks: number, readonly blockBytes: number}} asked
 * @param {Open} open rejects for a shard that is not there
 * @returns {Promise<Buffer | null>} 32 bytes; null: something of it is missing
 */
export async function answerOf({ shards, seed, blocks, blockBytes }, open) {
  const totalBytes = shards.reduce((sum, { bytes }) => sum + bytes, 0);
  if (totalBytes === 0) return null;
  const wanted = positionsOf(seed, totalBytes, blocks, blockBytes).map((index) => {
    const from = index * blockBytes;
    return { from, to: Math.min(from + blockBytes, totalBytes), at: 0 };
  });
  let filled = 0;
  for (const piece of wanted) {
    piece.at = filled;
    filled += piece.to - piece.from;
  }
  const all = Buffer.alloc(filled);
  const jobs = partsByShard(shards, wanted);
  let next = 0;
  let whole = true;
  const work = async () => {
    for (let job = jobs[next++]; job !== undefined && whole; job = jobs[next++]) {
      if (!(await readParts(job, all, open))) whole = false;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return whole ? createHash('sha256').update(seed).update(all).digest() : null;
}

/**
 * A block may begin in one shard and end in the next.
 * @param {readonly Shard[]} shards
 * @param {readonly Piece[]} wanted
 * @returns {readonly Job[]}
 */
function partsByShard(shards, wanted) {
  /** @type {Job[]} */
  const jobs = [];
  let start = 0;
  let first = 0;
  for (const { hash, bytes } of shards) {
    const end = start + bytes;
    /** @type {Job['parts'][number][]} */
    const parts = [];
    while ((wanted[first]?.to ?? Number.POSITIVE_INFINITY) <= start) first++;
    for (const { from, to, at } of wanted.slice(first)) {
      if (from >= end) break;
      const [low, high] = [Math.max(from, start), Math.min(to, end)];
      parts.push({ at: at + low - from, offset: low - start, bytes: high - low });
    }
    if (parts.length > 0) jobs.push({ hash, parts });
    start = end;
  }
  return jobs;
}

/**
 * @param {Job} job
 * @param {Buffer} all
 * @param {Open} open
 */
async function readParts({ hash, parts }, all, open) {
  const file = await open(hash).catch(() => null);
  if (file === null) return false;
  try {
    for (const { at, offset, bytes } of parts) {
      const read = await file.read(all.subarray(at, at + bytes), offset);
      if (read !== bytes) return false;
    }
    return true;
  } catch {
    return false;
  } finally {
    await file.close().catch(() => undefined);
  }
}
