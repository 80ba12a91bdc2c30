import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rowDigestsOf } from '../../../../coordinator/verification/product.ts';
import {
  type Challenge,
  type Commitment,
  judgeProof,
  type Opening,
  openingsFor,
  rowsToOpen,
} from '../../../../coordinator/verification/throughput.ts';
import type { Hex32 } from '../../../../core/primitives.ts';
import { leadsTo, rowTree } from '../../../../core/row-tree.ts';
import { rowDigests } from '../../../support/matrices.ts';

const NOW = 1_800_000_000_000;
const seedOf = (n: number): Hex32 => `0x${n.toString(16).padStart(64, '0')}`;
const challenge = (change: Partial<Challenge> = {}): Challenge => ({
  ...{ seed: seedOf(7), size: 12, rounds: 3, issuedAt: NOW, deadline: NOW + 2_000 },
  ...change,
});

/** A device: it computes everything with big integers, as the description of the workload says, and then answers. */
function prover({ seed, size, rounds }: Challenge, change: (digests: Buffer[]) => void = () => undefined) {
  const all = rowDigests(Buffer.from(seed.slice(2), 'hex'), size, rounds);
  const digests = Array.from({ length: size * rounds }, (_, row) => all.subarray(32 * row, 32 * row + 32));
  change(digests);
  const tree = rowTree(digests);
  const open = (rows: readonly number[]): readonly Opening[] =>
    rows.map((row) => ({ row, digest: `0x${digests[row]?.toString('hex') ?? ''}`, path: tree.pathOf(row) }));
  const commitment: Commitment = { root: tree.root, receivedAt: NOW + 1_000 };
  return { commitment, open };
}

describe('rows of a product', () => {
  it('are the ones that the workload is listed with', () => {
    const manifest = JSON.parse(readFileSync('workloads/modmatrix/manifest.json', 'utf8')) as {
      gpu: { check: { params: { size: string; rounds: string }; output: string } };
    };
    const { params, output } = manifest.gpu.check;
    const rows = Array.from({ length: Number(params.size) }, (_, row) => row);
    const hash = createHash('sha256');
    for (let round = 0; round < Number(params.rounds); round++) {
      for (const digest of rowDigestsOf(new Uint8Array(), rows.length, round, rows)) hash.update(digest);
    }
    expect(`0x${hash.digest('hex')}`).toBe(output);
  });

  it('are the ones that big integers give, for any seed and size', () => {
    const sizes = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), sizes, fc.nat({ max: 3 }), fc.nat(), (input, size, round, pick) => {
        const row = pick % size;
        const all = rowDigests(input, size, round + 1);
        const at = 32 * (round * size + row);
        expect(rowDigestsOf(input, size, round, [row])[0]?.equals(all.subarray(at, at + 32))).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});

describe('a commitment to rows', () => {
  it('proves each of its rows, and no other at any place', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(), fc.nat(), (count, a, b) => {
        const digests = Array.from({ length: count }, (_, n) => createHash('sha256').update(String(n)).digest());
        const tree = rowTree(digests);
        const [row, other] = [a % count, b % count];
        const digest = digests[row] ?? Buffer.alloc(0);
        expect(leadsTo(tree.root, count, row, digest, tree.pathOf(row))).toBe(true);
        if (other !== row) expect(leadsTo(tree.root, count, other, digest, tree.pathOf(row))).toBe(false);
        expect(leadsTo(tree.root, count, row, createHash('sha256').update('x').digest(), tree.pathOf(row))).toBe(false);
        expect(leadsTo(tree.root, count, row, digest, [...tree.pathOf(row), tree.root])).toBe(false);
        expect(leadsTo(tree.root, count, count + row, digest, tree.pathOf(row))).toBe(false);
      }),
    );
  });
});

describe('a proof of throughput', () => {
  const ask = (commitment: Commitment, count = 8) => rowsToOpen('secret', challenge(), commitment, count);

  it('is believed from a device that computed everything in time, with what it computed per second', () => {
    const { commitment, open } = prover(challenge());
    const asked = ask(commitment);
    expect(judgeProof(challenge(), commitment, asked, open(asked))).toEqual({
      kind: 'proven',
      multiplicationsPerSecond: 3 * 12 ** 3,
    });
  });

  it('is refuted by one wrong row among those that are opened', () => {
    const { commitment, open } = prover(challenge(), (digests) => {
      digests.fill(createHash('sha256').update('guess').digest(), 20);
    });
    expect(judgeProof(challenge(), commitment, [3, 25], open([3, 25]))).toEqual({ kind: 'refuted', why: 'wrong-row' });
    expect(judgeProof(challenge(), commitment, [3, 5], open([3, 5])).kind).toBe('proven');
  });

  it('is refuted exactly when a wrong row is among those that are opened, whichever are wrong and whichever opened', () => {
    const small = challenge({ size: 5, rounds: 2 });
    const rows = fc.uniqueArray(fc.integer({ min: 0, max: 9 }), { maxLength: 10 });
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 10 }), fc.string(), (wrong, count, secret) => {
        const { commitment, open } = prover(small, (digests) => {
          for (const row of wrong) digests[row] = createHash('sha256').update(`guess ${row}`).digest();
        });
        const asked = rowsToOpen(secret, small, commitment, count);
        const verdict = judgeProof(small, commitment, asked, open(asked));
        expect(verdict.kind).toBe(asked.some((row) => wrong.includes(row)) ? 'refuted' : 'proven');
      }),
      { numRuns: 60 },
    );
  });

  it('is refuted where rows were made only after they were asked for', () => {
    const lazy = prover(challenge(), (digests) => {
      digests.fill(Buffer.alloc(32));
    });
    const honest = prover(challenge());
    const asked = ask(lazy.commitment);
    expect(judgeProof(challenge(), lazy.commitment, asked, honest.open(asked))).toEqual({
      kind: 'refuted',
      why: 'not-committed',
    });
  });

  it('is refuted when it comes late, and when other rows are opened than the ones asked for', () => {
    const { commitment, open } = prover(challenge());
    const late = { ...commitment, receivedAt: NOW + 2_001 };
    expect(judgeProof(challenge(), late, [1], open([1]))).toEqual({ kind: 'refuted', why: 'late' });
    for (const given of [open([2]), open([]), open([1, 2]), [...open([1]), ...open([1])]]) {
      expect(judgeProof(challenge(), commitment, [1], given)).toEqual({ kind: 'refuted', why: 'other-rows' });
    }
  });

  it('opens different rows for each commitment and each secret, never one twice, and no more than there are', () => {
    const rows = (secret: string, root: number) =>
      rowsToOpen(secret, challenge(), { root: seedOf(root), receivedAt: NOW }, 8);
    expect(rows('a', 1)).not.toEqual(rows('a', 2));
    expect(rows('a', 1)).not.toEqual(rows('b', 1));
    expect(new Set(rows('a', 1)).size).toBe(8);
    expect(rowsToOpen('a', challenge(), { root: seedOf(1), receivedAt: NOW }, 99)).toHaveLength(36);
  });

  it('finds one wrong row in twenty with as many openings as it says', () => {
    const count = openingsFor(0.05, 0.99);
    const big = challenge({ size: 200, rounds: 2 });
    let found = 0;
    for (let n = 0; n < 500; n++) {
      const opened = rowsToOpen('secret', big, { root: seedOf(n), receivedAt: NOW }, count);
      if (opened.some((row) => row % 20 === 0)) found += 1;
    }
    // 495 expected; four standard deviations.
    expect(found).toBeGreaterThan(485);
    expect(count).toBe(90);
  });
});
