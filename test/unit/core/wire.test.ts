import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeWire } from '../../../core/wire.ts';

const message = fc.letrec((tie) => ({
  part: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.bigInt()),
    fc.array(tie('part'), { maxLength: 5 }),
    fc.dictionary(fc.string({ maxLength: 8 }), tie('part'), { maxKeys: 5 }),
  ),
})).part;

describe('a message as it travels', () => {
  it('is JSON with its amounts as decimal strings, whatever it holds', () => {
    fc.assert(
      fc.property(message, (value) => {
        const replaced = JSON.stringify(value, (_key, part: unknown) =>
          typeof part === 'bigint' ? part.toString() : part,
        );
        expect(encodeWire(value)).toBe(replaced);
      }),
    );
  });

  it('does not change what it is made of', () => {
    const price = { price: 5n, list: [1n, { deep: 2n }] };
    expect(encodeWire(price)).toBe('{"price":"5","list":["1",{"deep":"2"}]}');
    expect(price).toEqual({ price: 5n, list: [1n, { deep: 2n }] });
  });
});
