import fc from 'fast-check';
import type { Action, BooksModel, Order } from './books-model.ts';
import { DEVICES } from './books-model.ts';

/** What is drawn: a kind of step and four numbers, read against the state that the history has come to. */
export type Draw = readonly [kind: number, a: number, b: number, c: number, d: number];

const number = fc.nat({ max: 0xff_ffff });
export const draws = (maxLength: number): fc.Arbitrary<readonly Draw[]> =>
  // Without the usual bias to small numbers, which mean little here, more of the histories come to something.
  fc.noBias(
    fc.array(fc.tuple(fc.nat({ max: 19 }), number, number, number, number), { minLength: 1, maxLength, size: 'max' }),
  );

const ORDERS: readonly Order[] = [
  ...Array.from({ length: 16 }, () => 'next' as const),
  'again',
  'again',
  'early',
  'fork',
];
const FEES = [0, 1, 250, 333, 10_000];

/** Some leases, a few of which may be none, or twice. */
const chosen = (count: number, from: number, many: number): readonly number[] =>
  Array.from({ length: 1 + (many % 4) }, (_, at) => (from + at * (1 + (many % 3))) % (count + 1));

/** Every draw is an action: what cannot be at this point is one that must be refused or change nothing. */
export function actionOf(model: BooksModel, [kind, a, b, c, d]: Draw): Action {
  const { jobs, leases } = model;
  const accepted = leases.filter(({ state }) => state === 'accepted');
  // Mostly who has something to report, what can be held or taken back, and who has something to claim.
  const device = (c % 4 > 0 ? accepted[a % Math.max(1, accepted.length)]?.device : undefined) ?? a % DEVICES;
  const pending = [...model.credits.values()].flatMap(({ state, lease }) => (state === 'pending' ? [lease] : []));
  const some = (): readonly number[] =>
    d % 3 === 0 || pending.length === 0 ? chosen(leases.length, b, d) : [pending[b % pending.length] ?? 0];
  const owner = model.balance(`published:${a % 2}`) > 0n ? a % 2 : (a + 1) % 2;
  const open = jobs.flatMap(({ over }, at) => (over ? [] : [at]));
  const job = open[b % Math.max(1, open.length)] ?? b % (jobs.length + 1);
  if (kind < 2 || (kind < 6 && model.balance(`deposit:${a % 2}`) === 0n)) {
    return { kind: 'deposit', consumer: a % 2, amount: BigInt(1 + (b % 100_000)) };
  }
  if (kind < 6) {
    return { kind: 'order', consumer: a % 2, price: BigInt(1 + (b % 30_000)), feeBps: FEES[c % FEES.length] ?? 0 };
  }
  if (kind < 10) return { kind: 'finish', job, device: a % DEVICES };
  if (kind < 13) {
    const own = leases.flatMap((lease, at) => (lease.device === device && lease.state === 'accepted' ? [at] : []));
    const named = c % 3 === 0 ? chosen(leases.length, b, c) : own;
    return { kind: 'report', device, leases: named, order: ORDERS[d % ORDERS.length] ?? 'next' };
  }
  switch (kind) {
    case 13:
    case 14:
      return c % 6 === 0 ? { kind: 'fail', job, device } : { kind: 'tick', ms: a % 200 };
    case 15:
      return { kind: c % 2 === 0 ? 'mature' : 'epoch' };
    case 16:
      return { kind: c % 2 === 0 ? 'hold' : 'release', leases: some() };
    case 17:
      if (d % 2 === 0) return { kind: 'epoch' };
      return { kind: 'clawBack', leases: some() };
    case 18:
      return { kind: 'epoch' };
    default:
      if (c % 8 === 0) return { kind: 'reorg' };
      return model.balance(`published:${owner}`) > 0n ? { kind: 'claim', owner } : { kind: 'epoch' };
  }
}
