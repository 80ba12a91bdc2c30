import type { Hex32 } from '../../core/primitives.ts';

/** Whether two outputs are the same answer. `unclear`: it cannot be said, and speaks neither for nor against anybody. */
export type Likeness = 'same' | 'different' | 'unclear';

/** How a workload's outputs are compared; asked once for each pair of different digests. A throw means `unclear`. */
export type Equal = (a: Hex32, b: Hex32) => Likeness | Promise<Likeness>;

/** The answers, as `decideJob` asks for them: always at once, the same for both orders. */
export type Likenesses = (a: Hex32, b: Hex32) => Likeness;

/** Equal digests are equal answers, and nothing else is. */
export const exactly: Likenesses = (a, b) => (a === b ? 'same' : 'different');

const pairKey = (a: Hex32, b: Hex32): string => (a < b ? `${a} ${b}` : `${b} ${a}`);

/** Compares all outputs of a job with each other. Equal bytes need no asking, and a pair is never asked in both orders. */
export async function compareAll(outputs: readonly Hex32[], equal: Equal): Promise<Likenesses> {
  const distinct = [...new Set(outputs)].sort();
  const known = new Map<string, Likeness>();
  for (const [index, a] of distinct.entries()) {
    for (const b of distinct.slice(index + 1)) {
      let likeness: Likeness;
      try {
        likeness = await equal(a, b);
      } catch {
        likeness = 'unclear';
      }
      known.set(pairKey(a, b), likeness);
    }
  }
  return (a, b) => (a === b ? 'same' : (known.get(pairKey(a, b)) ?? 'unclear'));
}

export type Tolerance = {
  readonly numbers: 'float32' | 'float64';
  /** Two numbers are the same within `absolute`, or within `relative` of the larger one. */
  readonly absolute: number;
  readonly relative: number;
};

const WIDTH = { float32: 4, float64: 8 } as const;

/**
 * Outputs that are little-endian numbers, one after the other. What is not a number is the same only as what is not a number; what is
 * infinite only as the same infinity. Outputs of another length, or that end within a number, are different.
 */
export function withinTolerance(a: Uint8Array, b: Uint8Array, { numbers, absolute, relative }: Tolerance): Likeness {
  const width = WIDTH[numbers];
  if (a.length !== b.length || a.length % width !== 0) return 'different';
  const [left, right] = [a, b].map((bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)) as [
    DataView,
    DataView,
  ];
  const at = (view: DataView, offset: number) =>
    numbers === 'float32' ? view.getFloat32(offset, true) : view.getFloat64(offset, true);
  for (let offset = 0; offset < a.length; offset += width) {
    const [x, y] = [at(left, offset), at(right, offset)];
    if (Object.is(x, y) || x === y) continue;
    // Infinity is within any share of infinity.
    if (!(Number.isFinite(x) && Number.isFinite(y))) return 'different';
    if (Math.abs(x - y) > Math.max(absolute, relative * Math.max(Math.abs(x), Math.abs(y)))) return 'different';
  }
  return 'same';
}

/**
 * A workload's own verifier, run in the sandbox as any work is, over both outputs: `verify` gives its exit code. What fails in another way,
 * or does not end, has no say.
 */
export const byVerifier =
  (verify: (a: Hex32, b: Hex32) => Promise<number>): Equal =>
  async (a, b) => {
    const code = await verify(a, b);
    return code === 0 ? 'same' : code === 1 ? 'different' : 'unclear';
  };
