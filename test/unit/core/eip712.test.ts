import { TypedDataEncoder } from 'ethers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex } from '../../../core/keccak.ts';
import {
  type Domain,
  digestOf,
  domainOf,
  fieldsOf,
  reportHash,
  type StructName,
  TYPES,
} from '../../../core/typed-data.ts';

const hex = (size: number) => fc.uint8Array({ minLength: size, maxLength: size }).map((bytes) => toHex(bytes));
const OF: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  address: hex(20),
  bytes32: hex(32),
  string: fc.string({ unit: 'grapheme' }),
  uint32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  uint64: fc.maxSafeNat(),
  uint256: fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), fc.bigInt({ min: 0n, max: 300n })),
};
/** Claim's deadline is a number to us and a uint256 on chain. */
const structOf = (name: StructName) =>
  fc.record(
    Object.fromEntries(
      TYPES[name].map((field) => [
        field.name,
        field.name === 'deadline' ? fc.maxSafeNat() : (OF[field.type] ?? fc.constant(null)),
      ]),
    ),
  );
const domain: fc.Arbitrary<Domain> = fc
  .tuple(fc.integer({ min: 1, max: 2 ** 40 }), hex(20))
  .map(([chainId, contract]) => domainOf(chainId, contract));

describe('a digest is ethers’ own', () => {
  test.each(Object.keys(TYPES) as StructName[])('of %s', (name) => {
    fc.assert(
      fc.property(domain, structOf(name), (where, value) => {
        expect(digestOf(where, name, value as never)).toBe(TypedDataEncoder.hash(where, fieldsOf(name), value));
        if (name !== 'Report') return;
        expect(reportHash(value as never)).toBe(TypedDataEncoder.hashStruct(name, fieldsOf(name), value));
      }),
      { numRuns: 200 },
    );
  });
});

test.each([
  ['a negative number', { resultCount: -1 }],
  ['a number too large for its type', { resultCount: 2 ** 32 }],
  ['half a number', { resultCount: 0.5 }],
  ['a short hash', { resultsHash: '0x12' }],
  ['a hash of other letters', { resultsHash: `0x${'zz'.repeat(32)}` }],
  ['an address that is none', { device: `0x${'11'.repeat(32)}` }],
  ['nothing', { device: undefined }],
])('%s is refused', (_what, change) => {
  const value = { device: `0x${'aa'.repeat(20)}`, resultsHash: `0x${'bb'.repeat(32)}`, resultCount: 1, ...change };
  const where = domainOf(1, `0x${'cc'.repeat(20)}`);
  expect(() => digestOf(where, 'Results', value as never)).toThrow('is no');
});
