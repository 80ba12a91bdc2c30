import type { CatalogueEntry } from '../core/catalogue.ts';
import type { Amount } from '../core/money.ts';
import type { Address, Lane } from '../core/primitives.ts';
import type { Machine } from '../core/wire.ts';
import type { Party } from './verification/trust.ts';
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
  /** Its /24 or /56 (`verification/subnet.ts`); null or not there: only the owner counts. */
  readonly network?: string | null;
  /** Leases that its owner or its network holds now, whichever has more: many identities are served as one. */
  readonly crowd?: number;
  /** Exact multiplications a second that its GPU has proven; not there: none. */
  readonly multiplicationsPerSecond?: number;
  /** Kinds of work (`workloadKey`) that it is trusted with. */
  readonly trustedWith?: ReadonlySet<string>;
};

/** What work needs of a machine, bytes; and what its GPU must have proven. */
export type Demand = {
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly vramBytes: number;
  readonly multiplicationsPerSecond?: number;
};

export const demandOf = ({ limits, gpu }: Pick<CatalogueEntry, 'limits' | 'gpu'>): Demand => ({
  memoryBytes: limits.memoryBytes,
  diskBytes: limits.scratchBytes + limits.maxInputBytes + limits.maxOutputBytes,
  vramBytes: gpu?.memoryBytes ?? 0,
  multiplicationsPerSecond: gpu?.leastMultiplicationsPerSecond ?? 0,
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
  /** Hold or finished a copy, as owners do. */
  readonly networks?: ReadonlySet<string>;
  /** The kind of work, where the copy is to judge another's result: devices that are trusted with it are asked first. */
  readonly judges?: string | null;
};

export function needOf(
  of: Pick<Need, 'lane' | 'price' | 'demand' | 'judges'>,
  copies: readonly Copy[],
  maxAttempts: number,
  /** Had the same input by another job. */
  seen: readonly Party[] = [],
): Need {
  const had = [...copies.filter(({ state }) => state !== 'gone'), ...seen];
  const gone = copies.filter(({ state }) => state === 'gone');
  return {
    ...of,
    owners: new Set(had.map(({ owner }) => owner)),
    networks: new Set(had.flatMap(({ network }) => network ?? [])),
    failedDevices: new Set(gone.map(({ device }) => device)),
    barred: barredFrom(copies, maxAttempts),
  };
}

/** Whether the device may be asked, though others may be better. */
export function mayTake(need: Need, offer: Omit<Offer, 'slots'>): boolean {
  const { owner, device, machine, network = null, multiplicationsPerSecond = 0 } = offer;
  if (need.owners.has(owner) || need.barred.has(device)) return false;
  if (multiplicationsPerSecond < (need.demand.multiplicationsPerSecond ?? 0)) return false;
  if (network !== null && need.networks?.has(network)) return false;
  if (machine === null) return true;
  const { demand, lane, price } = need;
  return (
    machine.memoryBytes >= demand.memoryBytes &&
    machine.diskBytes >= demand.diskBytes &&
    machine.vramBytes >= demand.vramBytes &&
    price >= (machine.floors[lane] ?? 0n)
  );
}

/**
 * Whether it is asked only after everybody else: who lost a copy, and who would judge without being trusted, unless nobody is
 * to be preferred for that.
 */
export const isSecondChoice = (
  { failedDevices, judges = null }: Need,
  { device, trustedWith }: Offer,
  preferTrusted = true,
): boolean => failedDevices.has(device) || (preferTrusted && judges !== null && trustedWith?.has(judges) !== true);

/** Who is asked first: whose owner and network have least already, of those who has most room, and of those the nearest. */
export function inTurn(offers: readonly Offer[]): readonly Offer[] {
  const room = ({ slots }: Offer): number => Object.values(slots).reduce((sum, count) => sum + count, 0);
  const far = ({ rttMs }: Offer): number => rttMs ?? Number.MAX_SAFE_INTEGER;
  const crowd = (offer: Offer): number => offer.crowd ?? 0;
  return [...offers].sort((a, b) => crowd(a) - crowd(b) || room(b) - room(a) || far(a) - far(b));
}
