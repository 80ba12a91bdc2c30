import { createHash } from 'node:crypto';
import { fail } from '../../core/errors.ts';
import type { Hex32 } from '../../core/primitives.ts';

/**
 * A Merkle tree over row digests, in their order: SHA-256, leaves and inner nodes marked apart so that neither passes for the other. A level
 * with an odd number hands its last node up unchanged.
 */
const hash = (mark: 0 | 1, ...parts: readonly Uint8Array[]): Buffer => {
  const made = createHash('sha256').update(Uint8Array.of(mark));
  for (const part of parts) made.update(part);
  return made.digest();
};

function levelsOf(digests: readonly Uint8Array[]): readonly (readonly Buffer[])[] {
  let level: readonly Buffer[] = digests.map((digest) => hash(0, digest));
  const levels = [level];
  while (level.length > 1) {
    const above: Buffer[] = [];
    for (let at = 0; at < level.length; at += 2) {
      const [left, right] = [level[at], level[at + 1]];
      if (left !== undefined) above.push(right === undefined ? left : hash(1, left, right));
    }
    level = above;
    levels.push(level);
  }
  return levels;
}

export type RowTree = { readonly root: Hex32; readonly pathOf: (index: number) => readonly Hex32[] };

const toHex = (bytes: Buffer): Hex32 => `0x${bytes.toString('hex')}`;

/** What a prover builds. Throws BAD_INPUT without rows. */
export function rowTree(digests: readonly Uint8Array[]): RowTree {
  const levels = levelsOf(digests);
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
    const sibling = Buffer.from(step.slice(2), 'hex');
    node = at % 2 === 0 ? hash(1, node, sibling) : hash(1, sibling, node);
  }
  return used === path.length && toHex(node) === root;
}
