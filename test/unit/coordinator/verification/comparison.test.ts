import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  byVerifier,
  compareAll,
  exactly,
  type Likeness,
  withinTolerance,
} from '../../../../coordinator/verification/comparison.ts';
import type { Hex32 } from '../../../../core/primitives.ts';

const id = (n: number): Hex32 => `0x${n.toString(16).padStart(64, '0')}`;
const floats = (...numbers: readonly number[]): Uint8Array => new Uint8Array(new Float32Array(numbers).buffer);
const NEAR = { numbers: 'float32', absolute: 0.001, relative: 0.01 } as const;

describe('comparing outputs', () => {
  it('asks for each pair of different ones once, and answers in both orders', async () => {
    const asked: string[] = [];
    const likenesses = await compareAll([id(3), id(1), id(2), id(1)], async (a, b) => {
      asked.push(`${Number(a)} ${Number(b)}`);
      return Number(a) + Number(b) === 3 ? 'same' : 'different';
    });
    expect(asked.sort()).toEqual(['1 2', '1 3', '2 3']);
    expect([likenesses(id(1), id(2)), likenesses(id(2), id(1)), likenesses(id(3), id(1))]).toEqual([
      ...['same', 'same', 'different'],
    ]);
    expect(likenesses(id(3), id(3))).toBe('same');
  });

  it('says nothing where the comparison fails, and of what it never saw', async () => {
    const likenesses = await compareAll([id(1), id(2)], () => {
      throw new Error('no such blob');
    });
    expect(likenesses(id(1), id(2))).toBe('unclear');
    expect(likenesses(id(1), id(9))).toBe('unclear');
    expect(likenesses(id(1), id(1))).toBe('same');
  });

  it('is by digest where the workload says so', () => {
    expect([exactly(id(1), id(1)), exactly(id(1), id(2))]).toEqual(['same', 'different']);
  });

  it.each([
    { code: 0, likeness: 'same' },
    { code: 1, likeness: 'different' },
    { code: 2, likeness: 'unclear' },
    { code: 137, likeness: 'unclear' },
  ])("takes a verifier's exit code $code as $likeness", async ({ code, likeness }) => {
    expect(await byVerifier(() => Promise.resolve(code))(id(1), id(2))).toBe(likeness);
  });
});

describe('a tolerance', () => {
  it.each<readonly [string, Uint8Array, Uint8Array, Likeness]>([
    ['equal numbers', floats(1, 2), floats(1, 2), 'same'],
    ['numbers within the share', floats(100), floats(100.9), 'same'],
    ['numbers beyond it', floats(100), floats(102), 'different'],
    ['small numbers within the distance', floats(0), floats(0.0009), 'same'],
    ['one that is far among many that are near', floats(1, 1, 1, 5), floats(1, 1, 1, 6), 'different'],
    ['another count', floats(1), floats(1, 1), 'different'],
    ['half a number', new Uint8Array(3), new Uint8Array(3), 'different'],
    ['no number twice', floats(Number.NaN), floats(Number.NaN), 'same'],
    ['no number and one', floats(Number.NaN), floats(1), 'different'],
    ['one infinity', floats(Infinity), floats(Infinity), 'same'],
    ['two infinities', floats(Infinity), floats(-Infinity), 'different'],
    ['infinity and a number', floats(Infinity), floats(1e38), 'different'],
    ['nothing twice', floats(), floats(), 'same'],
  ])('judges %s', (_name, a, b, likeness) => {
    expect(withinTolerance(a, b, NEAR)).toBe(likeness);
    expect(withinTolerance(b, a, NEAR)).toBe(likeness);
  });

  it('reads bytes wherever they lie in their buffer, in either width', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true }), { maxLength: 20 }), (numbers) => {
        const bytes = new Uint8Array(new Float64Array(numbers).buffer);
        const moved = new Uint8Array(bytes.length + 3);
        moved.set(bytes, 3);
        expect(withinTolerance(bytes, moved.subarray(3), { numbers: 'float64', absolute: 0, relative: 0 })).toBe(
          'same',
        );
      }),
    );
  });
});
