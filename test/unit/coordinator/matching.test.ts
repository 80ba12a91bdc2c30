import { describe, expect, it } from 'vitest';
import { inTurn, isSecondChoice, mayTake, type Need, needOf, type Offer } from '../../../coordinator/matching.ts';
import type { Copy, LeaseState } from '../../../coordinator/verify.ts';
import { type Address, perLane } from '../../../core/primitives.ts';

const account = (n: number): Address => `0x${n.toString(16).padStart(40, '0')}`;
const NO_DEMAND = { memoryBytes: 0, diskBytes: 0, vramBytes: 0 };
const need = (change: Partial<Need> = {}): Need => ({
  ...{ lane: 'cpu', price: 5n, demand: NO_DEMAND, owners: new Set(), failedDevices: new Set(), barred: new Set() },
  ...change,
});
const offer = (device: number, change: Partial<Offer> = {}): Offer => ({
  ...{ device: account(device), owner: account(device), workloads: new Set(['echo']), machine: null, rttMs: null },
  slots: { ...perLane(() => 0), cpu: 1 },
  ...change,
});
const copy = (device: number, state: LeaseState, change: Partial<Copy> = {}) => ({
  ...({ leaseId: `0x${String(device).repeat(64)}`, device: account(device), owner: account(device), state } as const),
  ...{ outputHash: null, countsAsAttempt: false, unable: false, network: null },
  ...change,
});

describe('who may have a copy', () => {
  it('is nobody whose owner or network has one', () => {
    expect(mayTake(need({ owners: new Set([account(1)]) }), offer(2, { owner: account(1) }))).toBe(false);
    expect(mayTake(need({ networks: new Set(['a']) }), offer(2, { network: 'a' }))).toBe(false);
    expect(mayTake(need({ networks: new Set(['a']) }), offer(2, { network: 'b' }))).toBe(true);
  });

  it('is, where networks are not known, anybody else', () => {
    for (const network of [{}, { network: null }]) {
      expect(mayTake(need({ networks: new Set(['a']) }), offer(2, network))).toBe(true);
    }
  });

  it('is nobody who cannot do it, or failed it too often, even when nobody else is there', () => {
    const copies = [copy(1, 'gone', { unable: true }), copy(2, 'gone', { countsAsAttempt: true }), copy(3, 'gone')];
    const wanting = needOf(need(), copies, 1);
    expect([1, 2, 3, 4].filter((device) => mayTake(wanting, offer(device)))).toEqual([3, 4]);
  });
});

describe('who is asked first', () => {
  const order = (...offers: readonly Offer[]) => inTurn(offers).map(({ device }) => Number(device));

  it('is who has no lost copy of it, and, to judge, who is trusted with the work', () => {
    expect(isSecondChoice(need({ failedDevices: new Set([account(1)]) }), offer(1))).toBe(true);
    expect(isSecondChoice(need({ failedDevices: new Set([account(1)]) }), offer(2))).toBe(false);
    const trusted = offer(2, { trustedWith: new Set(['echo']) });
    expect(isSecondChoice(need({ judges: 'echo' }), offer(1))).toBe(true);
    expect(isSecondChoice(need({ judges: 'echo' }), trusted)).toBe(false);
    expect(isSecondChoice(need({ judges: 'other' }), trusted)).toBe(true);
    expect(isSecondChoice(need(), offer(1))).toBe(false);
  });

  it('is whose owner and network have least, before who has most room and who is nearest', () => {
    const room = (cpu: number) => ({ slots: { ...perLane(() => 0), cpu } });
    expect(order(offer(1, { crowd: 1, ...room(9) }), offer(2), offer(3, { crowd: 3 }))).toEqual([2, 1, 3]);
    expect(order(offer(1), offer(2, room(2)))).toEqual([2, 1]);
    expect(order(offer(1, { rttMs: 80 }), offer(2), offer(3, { rttMs: 20 }))).toEqual([3, 1, 2]);
  });
});
