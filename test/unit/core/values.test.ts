import { StandardMerkleTree } from '@openzeppelin/merkle-tree';
import { keccak256, TypedDataEncoder, toUtf8Bytes, Wallet } from 'ethers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { completeParams, priceOf } from '../../../core/catalogue.ts';
import { canonicalJson, keccakText } from '../../../core/keccak.ts';
import { merkleTree, verifyProof } from '../../../core/merkle.ts';
import { decodeAmount, formatTokens, parseTokens } from '../../../core/money.ts';
import type { Address } from '../../../core/primitives.ts';
import { digestOf, domainOf, fieldsOf, itemsHash, outcomesHash, type Struct, TYPES } from '../../../core/typed-data.ts';
import { ENTRY } from '../../fakes/world.ts';

const amounts = fc.bigInt({ min: 0n, max: 2n ** 256n - 1n });
const addresses = fc
  .uint8Array({ minLength: 20, maxLength: 20 })
  .map((bytes): Address => `0x${Buffer.from(bytes).toString('hex')}`);

describe('money', () => {
  test.each([
    ['0', 0n],
    ['1', 10n ** 18n],
    ['1.25', 1_250_000_000_000_000_000n],
    ['0.000000000000000001', 1n],
  ])('%s tokens', (text, amount) => {
    expect(parseTokens(text)).toBe(amount);
    expect(formatTokens(amount)).toBe(text);
  });
  test.each(['', '-1', '+1', '1e3', '01', '.5', '1.', '1,5', '1 000', '0.0000000000000000001', '9'.repeat(70), 'NaN'])(
    '"%s" is refused',
    (text) => expect(() => parseTokens(text)).toThrow(expect.objectContaining({ code: 'BAD_INPUT' })),
  );
  test('what is formatted whole is parsed to the same; what is shortened is never more', () => {
    fc.assert(
      fc.property(amounts, fc.nat(18), (amount, decimals) => {
        expect(parseTokens(formatTokens(amount))).toBe(amount);
        const short = formatTokens(amount, decimals);
        expect(short.length > 0 && parseTokens(short) <= amount).toBe(true);
      }),
    );
  });
  test.each(['', '01', '-1', '1.0', '1e1', (2n ** 256n).toString()])('"%s" is no amount on the wire', (text) => {
    expect(() => decodeAmount(text)).toThrow(expect.objectContaining({ code: 'BAD_INPUT' }));
  });
  test.each([
    [0, 10n],
    [1, 12n],
    [1024 * 1024, 12n],
    [1024 * 1024 + 1, 14n],
  ])('%d bytes of input cost %d', (bytes, price) => expect(priceOf(ENTRY, bytes)).toBe(price));
  test('parameters are completed or refused', () => {
    expect(completeParams(ENTRY, {})).toEqual({ height: '480' });
    expect(completeParams(ENTRY, { height: '9' })).toBeNull();
    expect(completeParams(ENTRY, { toString: '480' })).toBeNull();
  });
});

describe('the Merkle tree equals OpenZeppelin’s', () => {
  const owners = fc.uniqueArray(fc.record({ owner: addresses, cumulative: amounts }), {
    ...{ minLength: 1, maxLength: 24, selector: (entry: { owner: string }) => entry.owner },
  });
  test('in root and proofs, and a proof holds for its leaf only', () => {
    fc.assert(
      fc.property(owners, (entitlements) => {
        const ours = merkleTree(entitlements);
        const theirs = StandardMerkleTree.of(
          entitlements.map((entry) => [entry.owner, entry.cumulative]),
          ['address', 'uint256'],
        );
        expect(ours.root).toBe(theirs.root);
        for (const [index, entry] of entitlements.entries()) {
          const proof = ours.proofOf(entry.owner) ?? [];
          expect(proof).toEqual(theirs.getProof(index));
          expect(verifyProof(ours.root, entry, proof)).toBe(true);
          expect(verifyProof(ours.root, { ...entry, cumulative: entry.cumulative ^ 1n }, proof)).toBe(false);
        }
      }),
      { numRuns: 40 },
    );
  });
  test('an empty tree and an owner twice are refused', () => {
    const entry = { owner: `0x${'a'.repeat(40)}` as const, cumulative: 1n };
    expect(() => merkleTree([])).toThrow(expect.objectContaining({ code: 'BAD_INPUT' }));
    expect(() => merkleTree([entry, { ...entry, owner: `0x${'A'.repeat(40)}` }])).toThrow(/twice/);
  });
});

describe('typed data', () => {
  const zero = `0x${'0'.repeat(64)}` as const;
  const owner = `0x${'1'.repeat(40)}` as const;
  const domain = domainOf(31337, `0x${'2'.repeat(40)}`);
  const claim: Struct<'Claim'> = { owner, recipient: owner, amount: 5n, fee: 0n, deadline: 9 };

  test('the digest is what a wallet signs', async () => {
    const wallet = Wallet.createRandom();
    const signature = await wallet.signTypedData(domain, fieldsOf('Claim'), claim);
    expect(TypedDataEncoder.hash(domain, fieldsOf('Claim'), claim)).toBe(digestOf(domain, 'Claim', claim));
    const spoilt = digestOf(domain, 'Claim', { ...claim, amount: 6n });
    expect(wallet.signingKey.sign(spoilt).serialized).not.toBe(signature);
    expect(wallet.signingKey.sign(digestOf(domain, 'Claim', claim)).serialized).toBe(signature);
  });
  test('field types are of one word, so that no two structs share an encoding', () => {
    const encodings = Object.entries(TYPES).map(([name, fields]) =>
      TypedDataEncoder.from({ [name]: [...fields] }).encodeType(name),
    );
    expect(new Set(encodings).size).toBe(Object.keys(TYPES).length);
  });
  test('hashes of items and outcomes depend on order, amount and reason', () => {
    const [a, b] = [zero, `0x${'3'.repeat(64)}` as const];
    const item = (leaseId: typeof a, amount: bigint) => ({ leaseId, outputHash: zero, amount });
    expect(itemsHash([item(a, 1n), item(b, 1n)])).not.toBe(itemsHash([item(b, 1n), item(a, 1n)]));
    expect(itemsHash([item(a, 1n)])).not.toBe(itemsHash([item(a, 2n)]));
    const refused = (reason: 'not-verified' | 'unknown-lease') =>
      outcomesHash([{ leaseId: a, kind: 'refused', reason }]);
    expect(refused('not-verified')).not.toBe(refused('unknown-lease'));
    expect(refused('not-verified')).not.toBe(outcomesHash([{ leaseId: a, kind: 'credited', amount: 0n }]));
  });
  test('keccak and canonical JSON', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(keccakText(text)).toBe(keccak256(toUtf8Bytes(text)));
      }),
    );
    expect(canonicalJson({ b: 1, a: { d: [1, { z: 1, y: 2 }], c: null } })).toBe(
      '{"a":{"c":null,"d":[1,{"y":2,"z":1}]},"b":1}',
    );
  });
});
