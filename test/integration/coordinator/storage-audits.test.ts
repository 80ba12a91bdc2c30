import { describe, expect, it } from 'vitest';
import { mature } from '../../../coordinator/credits.ts';
import { account, balanceOf } from '../../../coordinator/ledger.ts';
import { breakOff } from '../../../coordinator/storage/audits.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import { MONTH_MS } from '../../../core/storage-terms.ts';
import { randomHex32 } from '../../support/random.ts';
import { cost, DAY, quarter, storageBooks } from '../../support/storage-books.ts';
import { HOUR, type StorageWorld } from '../../support/storage-world.ts';

describe('agreements are audited', () => {
  const { world, keeperOf, standing, db } = storageBooks();

  describe('audits', () => {
    it('pay for the time that they vouch for, and hold a quarter back until the end', async () => {
      const { world: own, consumer } = await world(6, { feeBps: 1_000, terms: { auditEveryMs: HOUR } });
      const { fileId, places } = await own.sealed(consumer, 400);
      const [place] = places;
      const { owner } = keeperOf(own, place?.device ?? '');
      const sealedAt = own.now;
      await own.pass(2 * HOUR);
      expect(await own.earned(owner)).toBe(0n);
      // Late enough that each is due.
      await db().exec('UPDATE agreements SET next_audit_at = $1 WHERE file_id = $2', [own.now, fileId]);
      expect(await own.audit()).toBe(4);
      const gross = cost(own.now - sealedAt);
      const net = ((gross - quarter(gross)) * 9n) / 10n;
      expect(await own.earned(owner)).toBeGreaterThanOrEqual(net - 1n);
      expect(await own.earned(owner)).toBeLessThanOrEqual(net);
      // Ten hours pass; an audit vouches for six.
      own.now += 100_000;
      await own.pass(10 * HOUR);
      await db().exec('UPDATE agreements SET next_audit_at = $1 WHERE file_id = $2 AND audit_id IS NULL', [
        ...[own.now, fileId],
      ]);
      await own.audit();
      const both = cost(2 * HOUR) + cost(6 * HOUR);
      const held = quarter(cost(2 * HOUR)) + quarter(cost(6 * HOUR));
      expect(await own.earned(owner)).toBeLessThanOrEqual(((both - held) * 9n) / 10n);
      expect(await own.earned(owner)).toBeGreaterThanOrEqual(((both - held) * 9n) / 10n - 2n);
      await own.check();
      const before = await own.deposit(consumer);
      await own.drop(fileId);
      expect(await own.earned(owner)).toBeLessThanOrEqual((both * 9n) / 10n);
      expect(await own.earned(owner)).toBeGreaterThanOrEqual((both * 9n) / 10n - 3n);
      expect(await own.deposit(consumer)).toBe(before + 4n * cost(MONTH_MS) - 4n * both);
      const fees = await balanceOf(db(), account.fees);
      await db().tx((sql) => mature(sql, own.now + 1));
      const fee = 4n * (both / 10n);
      expect((await balanceOf(db(), account.fees)) - fees).toBeGreaterThanOrEqual(fee - 16n);
      await own.check();
      await own.drop(fileId);
      expect(await own.deposit(consumer)).toBe(before + 4n * cost(MONTH_MS) - 4n * both);
    });

    const due = (own: StorageWorld, fileId: Hex32) =>
      db().exec('UPDATE agreements SET next_audit_at = $1 WHERE file_id = $2 AND audit_id IS NULL', [own.now, fileId]);
    const stateOf = async (own: StorageWorld, fileId: Hex32, index = 0) => {
      const all = await own.agreements(fileId);
      return all.find(({ idx }) => idx === index);
    };

    it('use each token once', async () => {
      const { world: own, consumer } = await world(4);
      const { fileId } = await own.sealed(consumer, 3);
      const seeds = new Set<Hex32>();
      for (let turn = 0; turn < 5; turn++) {
        await own.pass(HOUR);
        await due(own, fileId);
        await own.audit((_device, right) => {
          expect(seeds).not.toContain(right);
          seeds.add(right);
          return right;
        });
      }
      expect(seeds.size).toBe(4 * 3);
      expect((await own.agreements(fileId)).map(({ state }) => state)).toEqual(Array(4).fill('sealed'));
    });

    it('that are failed twice in a row end the agreement, and what was held back returns', async () => {
      const { world: own, consumer } = await world(4);
      const { fileId, places } = await own.sealed(consumer);
      const bad = keeperOf(own, places[0]?.device ?? '');
      const faulty = (answer: Hex32 | null) => (device: string, right: Hex32) =>
        device === bad.key.address ? answer : right;
      await own.pass(HOUR);
      await due(own, fileId);
      await own.audit();
      const earned = await own.earned(bad.owner);
      expect((await stateOf(own, fileId))?.held_back).toBe(quarter(cost(HOUR)));
      await own.pass(HOUR);
      await due(own, fileId);
      await own.audit(faulty(randomHex32()));
      expect(await stateOf(own, fileId)).toMatchObject({ state: 'sealed', strikes: 1 });
      expect(await standing(own, bad)).toMatchObject({ reason: 'failed', suspendedUntil: own.now + DAY, failed: 1 });
      const before = await own.deposit(consumer);
      await own.pass(15 * 60_000);
      // Soon, without anybody's doing.
      await own.audit(faulty(null), [bad]);
      expect(await stateOf(own, fileId)).toMatchObject({ state: 'lost', why: 'lost', held_back: 0n });
      expect(await own.earned(bad.owner)).toBe(earned);
      expect(await own.deposit(consumer)).toBe(before + quarter(cost(HOUR)));
      expect((await own.agreements(fileId)).filter(({ state }) => state === 'sealed')).toHaveLength(3);
      await own.check();
    });

    it('forget a strike when the next one is right', async () => {
      const { world: own, consumer } = await world(4);
      const { fileId } = await own.sealed(consumer, 40);
      // Whoever is known for long is not disqualified for two of them.
      for (let turn = 0; turn < 20; turn++) {
        await due(own, fileId);
        await own.audit();
      }
      for (let turn = 0; turn < 2; turn++) {
        await own.pass(HOUR);
        await due(own, fileId);
        await own.audit(() => null);
        await due(own, fileId);
        await own.audit();
      }
      expect((await own.agreements(fileId)).map(({ state }) => state)).toEqual(Array(4).fill('sealed'));
    });

    it('that get no answer count while the device is there, and not when it went away', async () => {
      const { world: own, consumer } = await world(4);
      const { fileId, places } = await own.sealed(consumer);
      const [here, gone] = places.map(({ device }) => keeperOf(own, device));
      if (here === undefined || gone === undefined) throw new Error('too few');
      await own.pass(HOUR);
      await due(own, fileId);
      const from = own.verdicts.length;
      await own.audit(() => undefined);
      const others = own.keepers.filter((one) => one !== gone);
      await own.pass(10 * 60_000, others);
      expect(own.verdicts.slice(from).filter((verdict) => verdict === 'unanswered')).toHaveLength(3);
      expect(
        await stateOf(
          own,
          fileId,
          places.findIndex(({ device }) => device === here.key.address),
        ),
      ).toMatchObject({
        strikes: 1,
        audit_id: null,
      });
      expect(
        await stateOf(
          own,
          fileId,
          places.findIndex(({ device }) => device === gone.key.address),
        ),
      ).toMatchObject({
        ...{ strikes: 0, broken_off: 1, audit_id: null },
      });
      expect(await standing(own, gone)).toMatchObject({ reason: 'new', score: null });
      // An answer that comes too late is none.
      await own.pass(HOUR);
      await due(own, fileId);
      const asked: { device: string; right: Hex32 }[] = [];
      await own.audit((device, right) => {
        asked.push({ device, right });
        return undefined;
      });
      expect(asked).toHaveLength(4);
    });

    it('that end with the session again and again count in the end', async () => {
      const { world: own, consumer } = await world(4);
      const { fileId, places } = await own.sealed(consumer);
      const dodger = keeperOf(own, places[0]?.device ?? '');
      const id = places[0]?.agreementId ?? randomHex32();
      for (let turn = 0; turn < 4; turn++) {
        expect(await stateOf(own, fileId)).toMatchObject({ strikes: 0 });
        await own.pass(HOUR);
        await due(own, fileId);
        await own.audit(() => undefined, [dodger]);
        await db().tx((sql) => breakOff(sql, id, own.rules, own.now));
      }
      expect(await stateOf(own, fileId)).toMatchObject({ strikes: 1 });
    });
  });
});
