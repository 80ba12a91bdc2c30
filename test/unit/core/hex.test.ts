import { bytesToHex } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../../core/keccak.ts';

describe('hex', () => {
  it('is read as the library writes it, in small letters and large', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, large) => {
      const digits = bytesToHex(bytes);
      expect(fromHex(`0x${large ? digits.toUpperCase() : digits}`)).toEqual(bytes);
      expect(toHex(bytes)).toBe(`0x${digits}`);
    });
    fc.assert(property);
  });

  it.each([
    '',
    '0',
    '0x0',
    '0xg0',
    '0x0g',
    '0x00 ',
    'ab00',
    '1x00',
    '0x0\u0130',
    '0x\uffff0',
    '0x-1',
    '0x:0',
    '0x`0',
    '0x@0',
  ])('is not %j', (text) => {
    expect(() => fromHex(text)).toThrow(RangeError);
  });
});
