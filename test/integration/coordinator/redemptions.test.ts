import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clawBack } from '../../../coordinator/clawback.ts';
import { holdCredits, mature, releaseCredits } from '../../../coordinator/credits.ts';
import type { Db, Sql } from '../../../coordinator/db.ts';
import { account, balanceOf } from '../../../coordinator/ledger.ts';
import { sharesOf } from '../../../coordinator/shares.ts';
import { Signer } from '../../../coordinator/signing.ts';
import { costOf } from '../../../core/receipts.ts';
import { domainOf } from '../../../core/typed-data.ts';
import { newAccount } from '../../support/chain.ts';
import { DeliveryBooks } from '../../support/delivery.ts';
import { randomAddress, randomHex32 } from '../../support/random.ts';
import { openTestDb } from '../../support/store.ts';

const MIB = 1024 * 1024;
const HOUR = 3_600_000;
const DEPOSIT = 10n ** 12n;

describe('deliveries in the books', () => {
  let dir: string;
  let db: Db;
  let now = 1_000;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'idlemesh-deliveries-'));
    db = await openTestDb(dir);
  }, 60_000);
  afterAll(async () => {
    await db.close();
    await rm(dir, { recursive: true, force: true });
  });
  const begun = () => new DeliveryBooks(db).begin(DEPOSIT);
  /** What a receipt adds for the owner, by the arithmetic alone. */
  const pay = (books: DeliveryBooks, from: number, to: number): bigint =>
    sharesOf(costOf(to, books.price) - costOf(from, books.price), books.feeBps).pay;

  it('hold what may be delivered, once however often it is ordered, and more where more is asked for', async () => {
    const books = await begun();
    const first = await books.order(10 * MIB, now);
    expect(await books.balances()).toMatchObject({ held: 10n * books.price, deposit: DEPOSIT - 10n * books.price });
    await Promise.all([1, 2, 3, 4].map(() => books.order(10 * MIB, now)));
    expect((await books.balances()).held).toBe(10n * books.price);
    // Less is not given back, and another price is for others.
    await books.order(MIB, now + HOUR, { price: 5n });
    expect((await books.balances()).held).toBe(10n * books.price);
    const raised = await books.order(12 * MIB + 1, now + HOUR, { price: 5n });
    expect((await books.balances()).held).toBe(costOf(12 * MIB + 1, books.price));
    expect([raised.price, raised.expires_at - first.expires_at]).toEqual([books.price, HOUR]);
    await books.count();
  });

  it('hold nothing that is not there, of a device that is not, or in another’s session', async () => {
    const books = await begun();
    const most = Number((DEPOSIT / books.price) * BigInt(MIB));
    await expect(books.order(most + 2 * MIB, now)).rejects.toMatchObject({ code: 'INSUFFICIENT_FUNDS' });
    expect(await books.balances()).toMatchObject({ held: 0n, deposit: DEPOSIT });
    await books.order(MIB, now);
    const thief = randomAddress();
    await expect(books.order(MIB, now, { consumer: thief })).rejects.toMatchObject({ code: 'CONFLICT' });
    const stranger = Object.assign(new DeliveryBooks(db), { consumer: books.consumer });
    await expect(stranger.order(MIB, now)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    // At once, and there is enough for one of them only.
    const other = await begun();
    const all = Object.assign(new DeliveryBooks(db), { consumer: other.consumer, device: other.device });
    const asked = await Promise.allSettled([other.order(most, now), all.order(most, now)]);
    expect(asked.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('pay the difference to what was redeemed before, and the fee when it matures', async () => {
    const books = await begun();
    await books.order(16 * MIB, now);
    const { session, content } = books;
    const fees = await balanceOf(db, account.fees);
    const first = pay(books, 0, 4 * MIB);
    expect(await books.redeem([books.receipt(4 * MIB)], now)).toEqual([
      { session, content, bytes: 4 * MIB, credited: first },
    ]);
    expect(await books.redeem([books.receipt(7 * MIB + 5), books.receipt(3 * MIB)], now)).toEqual([
      { session, content, bytes: 7 * MIB + 5, credited: pay(books, 4 * MIB, 7 * MIB + 5) },
      { session, content, bytes: 7 * MIB + 5, credited: 0n },
    ]);
    const credited = first + pay(books, 4 * MIB, 7 * MIB + 5);
    expect(await books.balances()).toMatchObject({ pending: credited, held: 16n * books.price - credited });
    expect(await books.count()).toEqual({ credited, due: 0n });
    now += 1;
    await db.tx((sql) => mature(sql, now));
    expect(await books.count()).toEqual({ credited, due: credited });
    // Nothing but what is not delivered is still held.
    const cost = costOf(7 * MIB + 5, books.price);
    expect(await books.balances()).toMatchObject({ matured: credited, held: 16n * books.price - cost });
    expect((await balanceOf(db, account.fees)) - fees).toBeGreaterThan((cost * 332n) / 10_000n);
  });

  it('pay no more than was set aside, and nothing for what is not theirs', async () => {
    const books = await begun();
    await books.order(4 * MIB, now);
    const { session, content } = books;
    const refused = (code: string, change: object = {}) => ({ session, content, ...change, refused: code });
    const other = randomHex32();
    const wrong = [
      ...[books.receipt(MIB, { session: other }), books.receipt(MIB, { content: other })],
      ...[books.receipt(MIB, { device: randomAddress() }), books.receipt(MIB, { consumer: randomAddress() })],
      books.receipt(MIB, { price: books.price + 1n }),
    ];
    expect(await books.redeem(wrong, now)).toEqual([
      ...[refused('unknown', { session: other }), refused('unknown', { content: other }), refused('other-device')],
      ...[refused('other-terms'), refused('other-terms')],
    ]);
    const thief = Object.assign(new DeliveryBooks(db), { device: randomAddress() });
    expect(await thief.redeem([books.receipt(MIB)], now)).toEqual([refused('other-device')]);
    // Nobody has looked who signed it.
    const unchecked = { ...books.receipt(MIB), digest: null };
    await expect(books.redeem([unchecked], now)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect((await books.balances()).credited).toBe(0n);
    const all = pay(books, 0, 4 * MIB);
    expect(await books.redeem([books.receipt(9 * MIB)], now)).toEqual([
      { session, content, bytes: 4 * MIB, credited: all },
    ]);
    expect(await books.redeem([books.receipt(10 * MIB)], now)).toEqual([
      { session, content, bytes: 4 * MIB, credited: 0n },
    ]);
    expect((await books.count()).credited).toBe(all);
  });

  it('give back what nobody redeemed in time, and no receipt reopens them', async () => {
    const books = await begun();
    const { closes_at: closesAt } = await books.order(8 * MIB, now);
    await books.redeem([books.receipt(3 * MIB)], now);
    await books.close(closesAt - 1);
    expect((await books.balances()).deposit).toBe(DEPOSIT - 8n * books.price);
    const late = closesAt + HOUR;
    const closed = await Promise.all([books.close(late), books.close(late)]);
    expect(closed.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(1);
    expect(await books.close(late)).toBe(0);
    expect((await books.balances()).deposit).toBe(DEPOSIT - costOf(3 * MIB, books.price));
    const { session, content } = books;
    expect(await books.redeem([books.receipt(5 * MIB), books.receipt(3 * MIB)], late)).toEqual([
      { session, content, refused: 'closed' },
      { session, content, bytes: 3 * MIB, credited: 0n },
    ]);
    await expect(books.order(9 * MIB, late)).rejects.toMatchObject({ code: 'CONFLICT' });
    await db.tx((sql) => mature(sql, late));
    expect((await books.balances()).held).toBe(0n);
    expect((await books.count()).due).toBe(pay(books, 0, 3 * MIB));
    now = late;
  });

  it('pay a receipt once, however many redeem it at once', async () => {
    const books = await begun();
    await books.order(16 * MIB, now);
    const [small, large] = [books.receipt(4 * MIB), books.receipt(8 * MIB)];
    const batches = [[large], [small], [small, large], [large], [large, small], [large]];
    const answers = await Promise.all(batches.map((batch) => books.redeem(batch, now)));
    const credited = answers.flat().reduce((sum, one) => sum + ('credited' in one ? one.credited : 0n), 0n);
    // Split in two or not: at most one unit is rounded off at each step.
    expect(pay(books, 0, 8 * MIB) - credited).toBeLessThanOrEqual(1n);
    expect(await books.count()).toMatchObject({ credited });
    expect((await books.balances()).held).toBe(16n * books.price - credited);
  });

  it('book all of a batch or none of it, wherever it breaks off', async () => {
    const books = await begun();
    await books.order(16 * MIB, now);
    const receipt = books.receipt(4 * MIB);
    for (let at = 0; ; at++) {
      let statements = 0;
      const dying = (sql: Sql): Sql => ({
        ...sql,
        exec: async (text, params) => {
          if (statements++ === at) throw new Error('the process died');
          return await sql.exec(text, params);
        },
      });
      const done = await books.redeem([receipt], now, { through: dying }).then(
        () => true,
        () => false,
      );
      if (done) {
        expect(at).toBeGreaterThan(2);
        break;
      }
      expect(await books.balances()).toMatchObject({ credited: 0n, held: 16n * books.price });
      expect(await books.count()).toEqual({ credited: 0n, due: 0n });
    }
    expect((await books.count()).credited).toBe(pay(books, 0, 4 * MIB));
  });

  it('mature late where credits do, can be held, and taken back for whom they were paid by', async () => {
    const books = await begun();
    await books.order(16 * MIB, now);
    const receipts = [books.receipt(4 * MIB), books.receipt(8 * MIB), books.receipt(12 * MIB)];
    for (const receipt of receipts) await books.redeem([receipt], now, { maturityMs: HOUR });
    const ids = receipts.map(({ digest }) => digest ?? expect.unreachable());
    const [first = expect.unreachable(), second = expect.unreachable(), third = expect.unreachable()] = ids;
    const [a, b, c] = [pay(books, 0, 4 * MIB), pay(books, 4 * MIB, 8 * MIB), pay(books, 8 * MIB, 12 * MIB)];
    await db.tx((sql) => mature(sql, now + HOUR - 1));
    expect(await books.count()).toEqual({ credited: a + b + c, due: 0n });
    await db.tx((sql) => holdCredits(sql, { leaseIds: [second, third] }, 'a test', now));
    now += HOUR;
    await db.tx((sql) => mature(sql, now));
    expect(await books.count()).toEqual({ credited: a + b + c, due: a });
    const signer = new Signer(newAccount().privateKey, domainOf(31_337, randomAddress()));
    await db.tx((sql) => clawBack(sql, signer, [first, second], 'a test', now));
    expect(await books.count()).toEqual({ credited: a + c, due: a });
    expect((await books.balances()).deposit).toBe(DEPOSIT - 12n * books.price);
    await db.tx((sql) => releaseCredits(sql, [third], now));
    expect(await books.count()).toEqual({ credited: a + c, due: a + c });
  });

  it('keep every unit, whatever happens in whatever order', async () => {
    const bytes = fc.integer({ min: 0, max: 12 * MIB });
    const step = fc.oneof(
      fc.record({ kind: fc.constant('order' as const), bytes: fc.integer({ min: 1, max: 12 * MIB }) }),
      fc.record({ kind: fc.constant('redeem' as const), all: fc.array(bytes, { minLength: 1, maxLength: 4 }) }),
      fc.record({ kind: fc.constant('mature' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const books = await begun();
        let [aside, redeemed] = [0, 0];
        for (const one of steps) {
          now += 1;
          if (one.kind === 'order') {
            await books.order(one.bytes, now);
            aside = Math.max(aside, one.bytes);
          } else if (one.kind === 'mature') await db.tx((sql) => mature(sql, now));
          else {
            await books.redeem(
              one.all.map((size) => books.receipt(size)),
              now,
            );
            redeemed = Math.max(redeemed, Math.min(aside, ...[Math.max(...one.all)]));
          }
          const { deposit, held, credited } = await books.balances();
          expect(deposit).toBe(DEPOSIT - costOf(aside, books.price));
          expect(credited).toBeLessThanOrEqual(costOf(redeemed, books.price));
          expect(held).toBeGreaterThanOrEqual(costOf(aside, books.price) - costOf(redeemed, books.price));
          expect((await books.count()).credited).toBe(credited);
        }
        await books.close(now + 1_000 * HOUR);
        now += 1_000 * HOUR + 1;
        await db.tx((sql) => mature(sql, now));
        const { deposit, held, matured } = await books.balances();
        expect([held, deposit]).toEqual([0n, DEPOSIT - costOf(redeemed, books.price)]);
        expect((await books.count()).due).toBe(matured);
      }),
      { numRuns: 25 },
    );
  });
});
