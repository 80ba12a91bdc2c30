import { describe, expect, it } from 'vitest';
import {
  addressCell,
  amountCell,
  bitCell,
  booleanCell,
  hex32Cell,
  integerCell,
  laneCell,
  numberCell,
  orNull,
  rowOf,
  textCell,
} from '../../../coordinator/rows.ts';

const hash = `0x${'ab'.repeat(32)}`;

describe('a row of the database', () => {
  const row = rowOf({ job_id: hex32Cell, price: amountCell, copies: integerCell, why: orNull(textCell) });

  it('has what its columns say, and nothing else', () => {
    const parsed = row.parse({
      job_id: hash,
      price: '340282366920938463463374607431768211456',
      copies: 3n,
      why: null,
      x: 1,
    });
    expect(parsed).toEqual({ job_id: hash, price: 2n ** 128n, copies: 3, why: null });
  });

  it('is refused by the name of the column that is none', () => {
    expect(() => row.parse({ job_id: hash, price: 'much', copies: 1, why: null })).toThrow(/price/);
    expect(() => row.parse({ price: '1', copies: 1, why: null })).toThrow(/job_id.*64 hex digits/);
  });

  it.each([
    ['a text', textCell, [1, null, undefined]],
    ['a boolean', booleanCell, [1, 't', null]],
    ['a number', numberCell, ['1', null, 1n]],
    ['an integer', integerCell, [1.5, '1.5', 'x', null, undefined, true, 2n ** 60n, Number.NaN]],
    ['0 or 1', bitCell, [2, '1', true]],
    ['an amount', amountCell, [1, '1.5', 'x', null]],
    ['a hash', hex32Cell, ['0x', hash.slice(2), `${hash}0`, null]],
    ['an address', addressCell, [hash, null, '0x1']],
    ['a lane', laneCell, ['disk', '', null]],
  ] as const)('is refused where %s is something else', (_name, column: (value: unknown) => unknown, values) => {
    for (const value of values) expect(() => column(value), String(value)).toThrow();
  });

  it('takes integers however the library gives them', () => {
    expect([7, 7n, '7', '-7'].map(integerCell)).toEqual([7, 7, 7, -7]);
  });
});
