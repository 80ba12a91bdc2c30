import type { CatalogueEntry } from '../core/catalogue.ts';
import type { Amount } from '../core/money.ts';
import type { Address, Lane } from '../core/primitives.ts';
import type { Machine } from '../core/wire.ts';
import { barredFrom, type Copy } from './verify.ts';

/** What one device offers now. */
export type Offer = {
  readonly device: Address;
  readonly owner: Address;
  readonly workloads: ReadonlySet<string>;
  readonly slots: Readonly<Record<Lane, number>>;
  /** What it has said of itself; null: nothing, and then nothing is asked of it. */
  readonly machine: Machine | null;
  /** Round trip to it, as measured last; null: not yet. */
  readonly rttMs: number | null;
};

/** What work needs of a machine, bytes. */
export type Demand = { readonly memoryBytes: number; readonly diskBytes: number; readonly vramBytes: number };

export const demandOf = ({ limits, gpu }: Pick<CatalogueEntry, 'limits' | 'gpu'>): Demand => ({
  memoryBytes: limits.memoryBytes,
  diskBytes: limits.scratchBytes + limits.maxInputBytes + limits.maxOutputBytes,
  vramBytes: gpu?.memoryBytes ?? 0,
});

/** A job that wants leases, as far as it matters who gets them. */
export type Need = {
  readonly lane: Lane;
  readonly price: Amount;
  readonly demand: Demand;
  /** Hold or finished a copy: the next goes to someone else. */
  readonly owners: ReadonlySet<Address>;
  /** Devices whose lease of this job is gone: asked again only when nobody else is free. */
  readonly failedDevices: ReadonlySet<Address>;
  /** Devices never asked again. */
  readonly barred: ReadonlySet<Address>;
};

export function needOf(
  of: Pick<Need, 'lane' | 'price' | 'demand'>,
  copies: readonly (Copy & { readonly owner: Address })[],
  maxAttempts: number,
): Need {
  const gone = copies.filter(({ state }) => state === 'gone');
  return {
    ...of,
    owners: new Set(copies.filter(({ state }) => state !== 'gone').map(({ owner }) => owner)),
    failedDevices: new Set(gone.map(({ device }) => device)),
    barred: barredFrom(copies, maxAttempts),
  };
}

/** Whether the device may be asked, though others may be better. */
export function mayTake(need: Need, { owner, device, machine }: Omit<Offer, 'slots'>): boolean {
  if (need.owners.has(owner) || need.barred.has(device)) return false;
  if (machine === null) return true;
  const { demand, lane, price } = need;
  return (
    machine.memoryBytes >= demand.memoryBytes &&
    machine.diskBytes >= demand.diskBytes &&
    machine.vramBytes >= demand.vramBytes &&
    price >= (machine.floors[lane] ?? 0n)
  );
}

/** Who is asked first: who has most room, and of those the nearest. */
export function inTurn(offers: readonly Offer[]): readonly Offer[] {
  const room = ({ slots }: Offer): number => Object.values(slots).reduce((sum, count) => sum + count, 0);
  const far = ({ rttMs }: Offer): number => rttMs ?? Number.MAX_SAFE_INTEGER;
  return [...offers].sort((a, b) => room(b) - room(a) || far(a) - far(b));
}
