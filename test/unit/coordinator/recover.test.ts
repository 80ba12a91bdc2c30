import { recoverAddress, SigningKey, Wallet } from 'ethers';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { signDigest, signerOf } from '../../../coordinator/recover.ts';
import { fromHex, toHex } from '../../../core/keccak.ts';
import type { Hex32, Signature } from '../../../core/primitives.ts';

function byEthers(digest: Hex32, signature: Signature): string | null {
  try {
    return recoverAddress(digest, signature).toLowerCase();
  } catch {
    return null;
  }
}
const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });
const key = bytes(32).filter((value) => value.some((byte) => byte !== 0) && value.some((byte) => byte !== 255));

test('names the signer as ethers does, of good signatures and of altered ones', () => {
  const change = fc.record({ at: fc.nat(64), to: fc.nat(255) });
  let good = 0;
  fc.assert(
    fc.property(key, bytes(32), fc.array(change, { maxLength: 3 }), fc.nat(255), (secret, hash, changes, v) => {
      const digest: Hex32 = toHex(hash);
      const signed = fromHex(new SigningKey(toHex(secret)).sign(digest).serialized);
      expect(signerOf(digest, toHex(signed))).toBe(new Wallet(toHex(secret)).address.toLowerCase());
      signed[64] = v;
      for (const { at, to } of changes) signed[at] = to;
      const mine = signerOf(digest, toHex(signed));
      if (mine !== null) good += 1;
      expect(mine).toBe(byEthers(digest, toHex(signed)));
    }),
    { numRuns: 300 },
  );
  expect(good).toBeGreaterThan(20);
});

test.each([
  ['r of nothing', 0, 32, 0],
  ['s of nothing', 32, 64, 0],
  ['r beyond the order', 0, 32, 255],
  ['s beyond the order', 32, 64, 255],
  ['all of nothing', 0, 65, 0],
])('%s is nobody’s, as ethers says', (_what, from, to, value) => {
  const digest: Hex32 = `0x${'11'.repeat(32)}`;
  const signed = fromHex(new SigningKey(`0x${'22'.repeat(32)}`).sign(digest).serialized);
  signed.fill(value, from, to);
  expect(signerOf(digest, toHex(signed))).toBeNull();
  expect(byEthers(digest, toHex(signed))).toBeNull();
});

test('signs as ethers does, and knows the short form of a signature', () => {
  fc.assert(
    fc.property(key, bytes(32), (secret, hash) => {
      const digest: Hex32 = toHex(hash);
      const theirs = new SigningKey(toHex(secret)).sign(digest);
      expect(signDigest(digest, secret)).toBe(theirs.serialized);
      const short = theirs.compactSerialized as Signature;
      expect(signerOf(digest, short)).toBe(new Wallet(toHex(secret)).address.toLowerCase());
      expect(signerOf(digest, short)).toBe(byEthers(digest, short));
    }),
    { numRuns: 50 },
  );
});
