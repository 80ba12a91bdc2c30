import { describe, expect, it } from 'vitest';
import { parseTokens } from '../../../core/money.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import { MONTH_MS } from '../../../core/storage-terms.ts';
import { newAccount } from '../../support/chain.ts';
import { cost, DAY, GIB, PLACE, PRICE, quarter, storageBooks } from '../../support/storage-books.ts';
import { HOUR, SMALL, type StorageWorld } from '../../support/storage-world.ts';

describe('agreements', () => {
  const { world, keeperOf, standing, db } = storageBooks();

  describe('places', () => {
    it('are on devices of different owners and networks, and held for their whole term', async () => {
      const { world: own, consumer } = await world(3);
      const before = await own.deposit(consumer);
      const owner = newAccount().address;
      for (let at = 0; at < 3; at++) await own.keeper(GIB, owner);
      for (let at = 0; at < 3; at++) await own.lends(await own.keeper(GIB), GIB, 'one line');
      // Three, one of the owner's, one of the line's.
      const offer = await own.store(consumer);
      expect(offer).toMatchObject({ price: PRICE, held: 4n * cost(MONTH_MS), endsAt: own.now + MONTH_MS });
      expect(offer.places.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
      const owners = offer.places.map(({ device }) => keeperOf(own, device).owner);
      expect(new Set(owners).size).toBe(4);
      expect(await own.deposit(consumer)).toBe(before - offer.held);
      expect(await own.store(consumer, offer.fileId)).toEqual(offer);
      expect(await own.deposit(consumer)).toBe(before - offer.held);
      await expect(own.store(consumer, offer.fileId, 2)).rejects.toMatchObject({ code: 'CONFLICT' });
      await expect(own.store(await own.consumer(1n), offer.fileId)).rejects.toMatchObject({ code: 'CONFLICT' });
    });

    it('are refused with what is missing, and nothing is held then', async () => {
      const { world: own, consumer } = await world(3);
      await expect(own.store(consumer)).rejects.toMatchObject({ code: 'REFUSED', info: { needed: 4, found: 3 } });
      await own.keeper(PLACE - 1);
      await expect(own.store(consumer)).rejects.toMatchObject({ code: 'REFUSED' });
      const poor = await own.consumer(5n);
      await own.keeper(GIB);
      await expect(own.store(poor)).rejects.toMatchObject({
        code: 'INSUFFICIENT_FUNDS',
        info: { needed: `${4n * cost(MONTH_MS)}`, available: '5', missing: `${4n * cost(MONTH_MS) - 5n}` },
      });
      expect(await own.deposit(consumer)).toBe(parseTokens('1000000'));
      expect(await own.deposit(poor)).toBe(5n);
      // A consumer's own device keeps nothing of theirs.
      await own.keeper(GIB, consumer);
      const offer = await own.store(consumer);
      expect(offer.places.map(({ device }) => keeperOf(own, device).owner)).not.toContain(consumer);
    });

    it('take no more than a device lends, with what it has promised', async () => {
      const { world: own, consumer } = await world(0);
      for (let at = 0; at < 4; at++) await own.keeper(2 * PLACE);
      await own.store(consumer);
      await own.store(consumer);
      await expect(own.store(consumer)).rejects.toMatchObject({ code: 'REFUSED' });
      await own.pass(25 * HOUR);
      // What was never sealed has lost its place.
      await own.store(consumer);
    });

    it('are given to nobody who is away, suspended or banned', async () => {
      const { world: own, consumer } = await world(7);
      const [away, suspended, banned, ...others] = own.keepers;
      if (away === undefined || suspended === undefined || banned === undefined) throw new Error('too few');
      await db().exec('UPDATE storage_devices SET suspended_until = $2 WHERE device = $1', [
        ...[suspended.key.address, own.now + HOUR],
      ]);
      await db().exec(`INSERT INTO bans (address, why, at) VALUES ($1, 'a test', 1)`, [banned.owner]);
      own.now += 30 * 60_000;
      await own.seen([suspended, banned, ...others]);
      const { places } = await own.store(consumer);
      expect(places.map(({ device }) => device).sort()).toEqual(others.map(({ key }) => key.address).sort());
    });
  });

  describe('a seal', () => {
    it('says what was signed for, once, and lets nothing else take its place', async () => {
      const { world: own, consumer } = await world();
      const { fileId, places } = await own.store(consumer);
      const [first, second] = places;
      if (first === undefined || second === undefined) throw new Error('too few');
      await own.seal(fileId, first);
      await own.seal(fileId, first);
      expect((await own.agreements(fileId)).map(({ state }) => state)).toEqual(['sealed', 'open', 'open', 'open']);
      // The device of another place signed.
      const forged = { ...second, device: first.device };
      await expect(own.seal(fileId, forged)).rejects.toMatchObject({ code: 'BAD_INPUT' });
      // Other shards, signed by the right device.
      const swapped = { ...second, index: 3 };
      await own.seal(fileId, second);
      await expect(own.seal(fileId, swapped)).rejects.toMatchObject({ code: 'CONFLICT' });
      await own.drop(fileId);
      const third = places[2] ?? first;
      await expect(own.seal(fileId, third)).rejects.toMatchObject({ code: 'CONFLICT' });
    });
  });

  describe('a device', () => {
    const stateOf = async (own: StorageWorld, fileId: Hex32, index = 0) =>
      (await own.agreements(fileId)).find(({ idx }) => idx === index);

    it('may be away for some hours, is marked after that, and gone after three days', async () => {
      const { world: own, consumer } = await world(5);
      const { fileId, places } = await own.sealed(consumer);
      const away = keeperOf(own, places[0]?.device ?? '');
      const others = own.keepers.filter((one) => one !== away);
      await own.pass(3.9 * HOUR, others);
      expect(await standing(own, away)).toMatchObject({ reason: 'new' });
      await expect(own.replace(fileId, places[0]?.agreementId ?? '0x')).rejects.toMatchObject({ code: 'REFUSED' });
      await own.pass(0.2 * HOUR, others);
      expect(await standing(own, away)).toMatchObject({ reason: 'offline' });
      await own.pass(60 * HOUR, others, 1_000_000 / 10);
      expect((await standing(own, away))?.suspendedUntil).toBeGreaterThan(own.now);
      expect(await stateOf(own, fileId)).toMatchObject({ state: 'sealed' });
      await own.pass(8.2 * HOUR, others);
      expect(await stateOf(own, fileId)).toMatchObject({ state: 'lost' });
      await own.check();
    });

    it('is not held responsible for a coordinator that was away', async () => {
      const { world: own, consumer } = await world(4);
      const { fileId } = await own.sealed(consumer);
      await own.pass(HOUR);
      await db().exec('UPDATE agreements SET next_audit_at = $1 WHERE file_id = $2', [own.now, fileId]);
      expect(await own.audit(() => undefined)).toBe(4);
      own.now += 100 * HOUR;
      await own.keepUp();
      expect((await own.agreements(fileId)).map(({ state, strikes }) => `${state} ${strikes}`)).toEqual(
        Array(4).fill('sealed 0'),
      );
    });

    it('is suspended before it is disqualified, and then loses all that it kept', async () => {
      const { world: own, consumer } = await world(4, { terms: { strikes: 100 } });
      const [first, second] = [await own.sealed(consumer, 400), await own.sealed(consumer, 400)];
      const [bad] = own.keepers;
      if (bad === undefined) throw new Error('too few');
      const told: string[] = [];
      for (let turn = 0; turn < 12 && told.at(-1) !== 'disqualified'; turn++) {
        await own.pass(HOUR);
        await db().exec('UPDATE agreements SET next_audit_at = $1 WHERE audit_id IS NULL AND state = $2', [
          ...[own.now, 'sealed'],
        ]);
        await own.audit(turn < 2 ? undefined : (device, right) => (device === bad.key.address ? null : right));
        const now = await standing(own, bad);
        told.push(now?.reason === 'disqualified' ? 'disqualified' : now?.suspendedUntil == null ? 'good' : 'suspended');
      }
      expect(told.slice(0, 4)).toEqual(['good', 'good', 'suspended', 'disqualified']);
      await own.keepUp();
      for (const { fileId } of [first, second]) {
        const all = await own.agreements(fileId);
        expect(all.filter(({ why }) => why === 'disqualified').map(({ device }) => device)).toEqual([bad.key.address]);
      }
      await own.check();
    });

    it('gets what was held back when it leaves in good order', async () => {
      const { world: own, consumer } = await world(5);
      const { fileId, places } = await own.sealed(consumer);
      const leaving = keeperOf(own, places[0]?.device ?? '');
      await own.pass(HOUR);
      await db().exec('UPDATE agreements SET next_audit_at = $1 WHERE file_id = $2', [own.now, fileId]);
      await own.audit();
      const before = await own.earned(leaving.owner);
      await own.lends(leaving, 0);
      expect(await stateOf(own, fileId)).toMatchObject({ state: 'sealed', moving: true });
      const next = await own.replace(fileId, places[0]?.agreementId ?? '0x');
      expect(await own.replace(fileId, places[0]?.agreementId ?? '0x')).toEqual(next);
      expect(places.map(({ device }) => device)).not.toContain(next.device);
      expect(await own.earned(leaving.owner)).toBe(before);
      await own.seal(fileId, next);
      expect(await own.earned(leaving.owner)).toBe(before + quarter(cost(HOUR)));
      expect((await own.agreements(fileId)).find(({ device }) => device === leaving.key.address)).toMatchObject({
        ...{ state: 'ended', why: 'moved', held_back: 0n },
      });
      await own.check();
    });

    it('that lends less is rid of the newest only', async () => {
      const { world: own, consumer } = await world(4);
      const first = await own.sealed(consumer);
      await own.pass(1_000);
      const second = await own.sealed(consumer);
      const [small] = own.keepers;
      if (small === undefined) throw new Error('too few');
      await own.lends(small, PLACE);
      const moving = async (fileId: Hex32) => (await own.agreements(fileId)).filter((one) => one.moving).length;
      expect([await moving(first.fileId), await moving(second.fileId)]).toEqual([0, 1]);
      await own.lends(small, GIB);
      expect(await moving(second.fileId)).toBe(0);
    });
  });

  it('end with their term, and the rest of the hold returns', async () => {
    const { world: own, consumer } = await world(4, { terms: { auditEveryMs: 10 * DAY } });
    const before = await own.deposit(consumer);
    const { fileId, places } = await own.sealed(consumer, 400);
    await own.pass(HOUR);
    await db().exec('UPDATE agreements SET next_audit_at = $1 WHERE file_id = $2', [own.now, fileId]);
    await own.audit();
    own.now += MONTH_MS - HOUR;
    await own.keepUp();
    expect((await own.agreements(fileId)).map(({ why }) => why)).toEqual(Array(4).fill('term'));
    expect(await own.earned(keeperOf(own, places[0]?.device ?? '').owner)).toBe(cost(HOUR));
    expect(await own.deposit(consumer)).toBe(before - 4n * cost(HOUR));
    await own.check();
    expect(SMALL.n).toBe(4);
  });
});
