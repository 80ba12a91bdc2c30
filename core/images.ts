import { type Catalogue, type CatalogueEntry, workIn } from './catalogue.ts';
import type { Lane, UnixMs } from './primitives.ts';

/** Which images to fetch, which to let go, and how the owner is told. */

/**
 * Room that fetching takes while it goes on, as a multiple of the compressed size: the compressed layers and the unpacked ones
 * lie side by side. Images of Debian's packages were 2.5 to 2.8 times as large unpacked as with gzip; docs/decisions/0014.
 */
const PEAK = 4;
/** What stays of it. */
const UNPACKED = 3;
const MIB = 1024 * 1024;

const peakBytes = (compressed: number): number => compressed * PEAK;
const keptBytes = (compressed: number): number => compressed * UNPACKED;

/** Why an image that is wanted is not fetched now. */
export type ImageObstacle =
  /** Its lane may not fetch now: the owner is here, or the like. */
  | { readonly kind: 'waiting' }
  /** The catalogue says nowhere to fetch it from. */
  | { readonly kind: 'no-source' }
  | { readonly kind: 'disk'; readonly neededBytes: number; readonly freeBytes: number }
  | { readonly kind: 'budget'; readonly neededBytes: number; readonly budgetBytes: number }
  /** It is tried again at `at`. */
  | { readonly kind: 'failed'; readonly detail: string; readonly at: UnixMs }
  /** What came is not what the catalogue names, or may not run: it is not tried again. */
  | { readonly kind: 'refused'; readonly detail: string };

/** One image of the catalogue, as the owner sees it. */
export type ImageView = {
  readonly workload: string;
  readonly version: string;
  readonly title: CatalogueEntry['title'];
  readonly image: string;
  readonly state: 'present' | 'fetching' | 'missing' | 'refused';
  /** On disk when it is present, else compressed; null: not known. */
  readonly bytes: number | null;
  /** While it is fetched: how much of `bytes` is done, half of it for the download and half for the unpacking. */
  readonly doneBytes: number;
  /** It was fetched by this device, and goes when it is not needed any more. */
  readonly ours: boolean;
  /** null: nothing is in its way. */
  readonly obstacle: ImageObstacle | null;
};

/** What must be on the machine before a workload can run: its own image, and those that serve its sandbox. */
export function imagesFor(entry: CatalogueEntry, list: Catalogue): readonly CatalogueEntry[] {
  const serves = list.entries.filter(
    ({ purpose }) => purpose === 'door' || (purpose === 'gateway' && entry.network !== 'none'),
  );
  return [...serves, entry];
}

/** Everything that a lane of the owner's needs, what serves the sandbox first; each once. */
export function wantedImages(list: Catalogue, shared: (lane: Lane) => boolean): readonly CatalogueEntry[] {
  const all = workIn(list)
    .filter(({ lane }) => shared(lane))
    .flatMap((entry) => imagesFor(entry, list));
  // Nothing waits for the probe: it comes when all that does is here.
  const probes = all.length === 0 ? [] : list.entries.filter(({ purpose }) => purpose === 'probe');
  const once = new Map([...all, ...probes].map((entry) => [entry.image, entry]));
  const turn = ({ purpose }: CatalogueEntry): number => (purpose === 'probe' ? 2 : purpose === 'work' ? 1 : 0);
  return [...once.values()].sort((a, b) => turn(a) - turn(b));
}

type Room = {
  /** null: not known, and not asked for. */
  readonly freeBytes: number | null;
  readonly minFreeBytes: number;
  /** Of the images that this device has fetched. */
  readonly usedBytes: number;
  readonly budgetBytes: number;
  /** Unpacked, where it was here before; null: not known. */
  readonly unpackedBytes?: number | null;
};

/** What of the disk is in the way of fetching so many compressed bytes; null: nothing. */
export function roomFor(compressed: number, room: Room): ImageObstacle | null {
  const { freeBytes, minFreeBytes, usedBytes, budgetBytes, unpackedBytes } = room;
  const needed = peakBytes(compressed);
  if (freeBytes !== null && freeBytes - needed < minFreeBytes) {
    return { kind: 'disk', neededBytes: needed + minFreeBytes, freeBytes };
  }
  // What went because it was too much must not be fetched again for looking smaller than it is.
  const after = usedBytes + Math.max(keptBytes(compressed), unpackedBytes ?? 0);
  return after > budgetBytes ? { kind: 'budget', neededBytes: after, budgetBytes } : null;
}

type Kept = { readonly image: string; readonly bytes: number; readonly usedAt: UnixMs };

/**
 * Which of the images that this device fetched shall go: those that the catalogue no longer names, then the longest unused until
 * the rest is within the budget; among them first those of lanes that the owner does not share. One that work runs on stays.
 */
export function imagesToRemove<T extends Kept>(
  kept: readonly T[],
  {
    named,
    wanted,
    serving = new Set(),
    busy,
    budgetBytes,
  }: {
    readonly named: ReadonlySet<string>;
    readonly wanted: ReadonlySet<string>;
    /** The sandbox's own: small, and every lane waits for them. */
    readonly serving?: ReadonlySet<string>;
    readonly busy: ReadonlySet<string>;
    readonly budgetBytes: number;
  },
): readonly T[] {
  const gone = kept.filter(({ image }) => !named.has(image) && !busy.has(image));
  const rest = kept.filter((one) => !gone.includes(one));
  let over = rest.reduce((sum, { bytes }) => sum + bytes, 0) - budgetBytes;
  const worth = ({ image }: T): number => (serving.has(image) ? 2 : Number(wanted.has(image)));
  const order = rest.filter(({ image }) => !busy.has(image)).sort((a, b) => worth(a) - worth(b) || a.usedAt - b.usedAt);
  const surplus: T[] = [];
  for (const one of order) {
    if (over <= 0) break;
    surplus.push(one);
    over -= one.bytes;
  }
  return [...gone, ...surplus];
}

/** First pause after a failure, doubled with each further one; ms. */
const AGAIN_MS = { first: 30_000, last: 3_600_000 } as const;

/** How long to wait after so many failures in a row; `chance` 0..1 spreads devices that all failed at once. */
export const retryAfterMs = (failures: number, chance: number): number =>
  Math.min(AGAIN_MS.last, AGAIN_MS.first * 2 ** Math.max(0, failures - 1)) * (0.5 + chance / 2);

export const budgetBytesOf = (imagesMiB: number): number => imagesMiB * MIB;
