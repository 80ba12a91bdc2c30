import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { actionOf, draws } from '../../support/books-histories.ts';
import { BooksModel } from '../../support/books-model.ts';

const HISTORIES = 100_000;

/** Why these books are wrong; null when they are right. */
function fault(model: BooksModel): string | null {
  let all = 0n;
  for (const [name, amount] of model.balances) {
    all += amount;
    if (amount < 0n && name !== 'external') return `${name} has ${amount}`;
  }
  if (all !== 0n) return `all accounts sum to ${all}`;
  const [one, other] = [model.owedByEntries(), model.owedByReceipts()];
  for (const owner of [0, 1]) {
    for (const sort of ['due', 'credited'] as const) {
      const [a, b] = [one[sort].get(owner) ?? 0n, other[sort].get(owner) ?? 0n];
      if (a !== b) return `owner ${owner} has ${a} ${sort} by the entries and ${b} by the receipts`;
    }
    if ((model.promised.get(owner) ?? 0n) > (one.due.get(owner) ?? 0n)) return 'a root promises more than is owed';
  }
  return null;
}

describe('the rules of the books', () => {
  it(`conserve every unit, keep accounts above nothing and make both calculators agree in ${HISTORIES} histories`, () => {
    const seen = { matured: 0, clawed: 0, claimed: 0, dust: 0, forks: 0, refused: 0, held: 0 };
    fc.assert(
      fc.property(draws(60), fc.constantFrom(0, 100), (history, maturityMs) => {
        const model = new BooksModel(maturityMs);
        for (const draw of history) if (model.apply(actionOf(model, draw)) === 'refused') seen.refused += 1;
        seen.matured += Number([...model.credits.values()].some(({ state }) => state === 'matured'));
        seen.held += Number([...model.credits.values()].some(({ held }) => held));
        seen.clawed += Number(model.clawed.size > 0);
        seen.claimed += Number(model.balance('claimed:0') + model.balance('claimed:1') > 0n);
        seen.dust += Number(model.balance('dust') > 0n);
        seen.forks += Number(model.blocked.size > 0);
        const why = fault(model);
        if (why !== null) throw new Error(why);
      }),
      { numRuns: HISTORIES },
    );
    // Histories in which nothing happens would prove nothing.
    for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(HISTORIES / 1_000);
  }, 120_000);

  it('notice a unit that is missing', () => {
    const model = new BooksModel(0);
    model.apply({ kind: 'deposit', consumer: 0, amount: 10n });
    expect(fault(model)).toBeNull();
    model.balances.set('deposit:0', 9n);
    expect(fault(model)).not.toBeNull();
  });
});
