import { fail } from './errors.ts';
import { concat, fromHex, sha256, toHex } from './keccak.ts';
import type { Hex32 } from './primitives.ts';
import { throughAll } from './steps.ts';

/**
 * A Merkle tree over row digests, in their order: SHA-256, leaves and inner nodes marked apart so that neither passes for the other. A level
 * with an odd number hands its last node up unchanged.
 */
const hash = (mark: 0 | 1, ...parts: readonly Uint8Array[]): Uint8Array =>
  sha256(concat(Uint8Array.of(mark), ...parts));

/** Hashes between two yields: a millisecond or two. */
const AT_A_TIME = 512;

function* levelsOf(digests: readonly Uint8Array[]): Generator<void, readonly (readonly Uint8Array[])[]> {
  let level: Uint8Array[] = [];
  for (const digest of digests) {
    level.push(hash(0, digest));
    if (level.length % AT_A_TIME === 0) yield;
  }
  const levels = [level];
  while (level.length > 1) {
    const above: Uint8Array[] = [];
    for (let at = 0; at < level.length; at += 2) {
      const [left, right] = [level[at], level[at + 1]];
      if (left !== undefined) above.push(right === undefined ? left : hash(1, left, right));
      if (above.length % AT_A_TIME === 0) yield;
    }
    level = above;
    levels.push(level);
  }
  return levels;
}

export type RowTree = { readonly root: Hex32; readonly pathOf: (index: number) => readonly Hex32[] };

/** What a prover builds, in steps. Throws BAD_INPUT without rows. */
export function* rowTreeSteps(digests: readonly Uint8Array[]): Generator<void, RowTree> {
  const levels = yield* levelsOf(digests);
  const root = levels.at(-1)?.[0] ?? fail('BAD_INPUT', 'a commitment needs at least one row');
  return {
    root: toHex(root),
    pathOf: (index) =>
      levels.slice(0, -1).flatMap((level, depth) => {
        const sibling = level[(index >> depth) ^ 1];
        return sibling === undefined ? [] : [toHex(sibling)];
      }),
  };
}

/** The same at one go. */
export const rowTree = (digests: readonly Uint8Array[]): RowTree => throughAll(rowTreeSteps(digests));

/** Whether the path leads from this digest, as row `index` of `count`, to the root. */
export function leadsTo(
  root: Hex32,
  count: number,
  index: number,
  digest: Uint8Array,
  path: readonly Hex32[],
): boolean {
  if (!(Number.isSafeInteger(index) && index >= 0 && index < count)) return false;
  let node = hash(0, digest);
  let used = 0;
  for (let [at, width] = [index, count]; width > 1; at >>= 1, width = Math.ceil(width / 2)) {
    if ((at ^ 1) >= width) continue;
    const step = path[used++];
    if (step === undefined) return false;
    const sibling = fromHex(step);
    node = at % 2 === 0 ? hash(1, node, sibling) : hash(1, sibling, node);
  }
  return used === path.length && toHex(node) === root;
}
