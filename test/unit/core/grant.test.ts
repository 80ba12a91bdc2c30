import { describe, expect, it } from 'vitest';
import { ANYBODY, grantFault, grantText, parseGrant } from '../../../core/grant.ts';
import { keccakText } from '../../../core/keccak.ts';
import type { Address, Signature } from '../../../core/primitives.ts';

const account = (digit: string): Address => `0x${digit.repeat(40)}`;
const content = keccakText('content');
const signature: Signature = `0x${'12'.repeat(65)}`;
const value = { content, publisher: account('a'), reader: account('b'), expiresAt: 1_000 };

describe('a grant', () => {
  it('is one word', () => {
    expect(parseGrant(grantText({ value, signature }))).toEqual({ value, signature });
    for (const bad of [
      '',
      'x',
      `${grantText({ value, signature })}0`,
      grantText({ value, signature }).replace('.', ' '),
    ]) {
      expect(() => parseGrant(bad)).toThrow(/no grant/);
    }
  });

  it('is for one content, one reader or anybody, and a time', () => {
    const asked = { content, reader: account('b'), now: 999 };
    expect(grantFault(value, asked)).toBeNull();
    expect(grantFault(value, { ...asked, now: 1_000 })).toMatch(/expired/);
    expect(grantFault(value, { ...asked, reader: account('c') })).toMatch(/somebody else/);
    expect(grantFault(value, { ...asked, content: keccakText('other') })).toMatch(/another content/);
    expect(grantFault({ ...value, reader: ANYBODY }, { ...asked, reader: account('c') })).toBeNull();
  });
});
