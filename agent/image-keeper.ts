import type { Catalogue, CatalogueEntry, PullSource } from '../core/catalogue.ts';
import { imageIds, workIn } from '../core/catalogue.ts';
import type { Decision } from '../core/decide.ts';
import { asFailure, isFailure } from '../core/errors.ts';
import {
  budgetBytesOf,
  type ImageObstacle,
  type ImageView,
  imagesFor,
  retryAfterMs,
  roomFor,
  wantedImages,
} from '../core/images.ts';
import { policyOf } from '../core/policy.ts';
import { LANES, type Lane, type PerLane, perLane, type UnixMs } from '../core/primitives.ts';
import type { Fetching, Sensed, Signals } from '../core/signals.ts';
import type { HeldImage, PullProgress } from './image-ports.ts';
import { nameOf } from './image-ports.ts';
import { createImageShelf } from './image-shelf.ts';
import type { Ports, Traffic } from './ports.ts';

/** A registry that refuses does not change its mind within seconds. */
const REFUSED_AGAIN_MS = 3_600_000;
/** The lane's sentence follows in steps: each costs a round. */
const STEP_PERCENT = 5;

/**
 * The images of the catalogue: which are there, and the way of the others here. One at a time, only while the decision says
 * that work might begin, and given up in the turn in which it says otherwise; the engine keeps the layers that had come.
 *
 *   missing ──► fetching ──► present        fetching ──► missing: the owner is back, or it failed and waits
 *      └──────────┴────────► refused        until the catalogue names another
 */
export type ImageKeeper = {
  /** Asks the engine which are there. Throws ENGINE_AWAY. False: one is missing that can only come without us; ask again. */
  readonly look: () => Promise<boolean>;
  /** The catalogue names it, and it, or what its sandbox needs, is not here: what needs it cannot run yet. */
  readonly lacks: (image: string) => boolean;
  /** Lanes for which there is work whose images are here, or can be fetched. */
  readonly offered: () => PerLane<boolean>;
  readonly fetching: () => Signals['fetching'];
  readonly busy: () => boolean;
  /** Goes on with, begins or gives up a fetch, as the decision says. */
  readonly allow: (fetches: Decision['fetches'], freeBytes: Sensed<number>) => void;
  /** Nobody decides. */
  readonly halt: () => void;
  /** Lets go of what is not needed. Throws ENGINE_AWAY. */
  readonly tidy: () => Promise<void>;
  readonly views: () => readonly ImageView[];
  readonly close: () => Promise<void>;
};

type KeeperOptions = {
  readonly ports: Pick<Ports, 'clock' | 'log' | 'random' | 'containers' | 'images' | 'imageRecord'> & {
    readonly traffic: Pick<Traffic, 'add'>;
    readonly settings: Pick<Ports['settings'], 'current'>;
  };
  readonly catalogue: () => Catalogue;
  /** Content that work runs on. */
  readonly inUse: () => readonly string[];
  readonly wake: () => void;
  readonly changed: () => void;
};

type Fetch = {
  readonly entry: CatalogueEntry;
  readonly over: AbortController;
  progress: PullProgress;
  done: Promise<void>;
};
type Trouble = {
  readonly kind: 'failed' | 'refused';
  readonly detail: string;
  readonly at: UnixMs;
  readonly count: number;
};

const NEVER = perLane(() => false);

export function createImageKeeper({ ports, catalogue, inUse, wake, changed }: KeeperOptions): ImageKeeper {
  const { clock, log, random, containers, images, settings, traffic } = ports;
  let present: ReadonlySet<string> = new Set();
  const sizes = new Map<string, number>();
  /** By the name of what was to be fetched and the content it was to be: another catalogue begins anew. */
  const troubles = new Map<string, Trouble>();
  /** What the engine holds and may not run. */
  let faulty: ReadonlyMap<string, string> = new Map();
  let current: Fetch | null = null;
  let allowed: Decision['fetches'] = NEVER;
  let free: Sensed<number> = 'unknown';
  let closed = false;
  let cancelRetry = (): void => undefined;
  const shelf = createImageShelf({
    ...ports,
    busy: () => new Set([...inUse(), ...(current === null ? [] : [current.entry.image])]),
  });

  const keyOf = (image: string, source: PullSource): string => `${nameOf(source)} ${image}`;
  const troubleOf = ({ image, pull }: CatalogueEntry): Trouble | undefined =>
    pull === null ? undefined : troubles.get(keyOf(image, pull));
  const budget = (): number => budgetBytesOf(settings.current().settings.limits.imagesMiB);
  const shares = (lane: Lane): boolean => policyOf(settings.current().settings).lanes[lane].share !== 'never';
  const refusal = (entry: CatalogueEntry): string | null => {
    const trouble = troubleOf(entry);
    return faulty.get(entry.image) ?? (trouble?.kind === 'refused' ? trouble.detail : null);
  };

  async function state(image: string): Promise<'present' | 'absent' | { readonly fault: string }> {
    try {
      return (await containers.hasImage(image)) ? 'present' : 'absent';
    } catch (error) {
      if (!isFailure(error, 'REFUSED')) throw error;
      if (faulty.get(image) !== error.message) log('warn', 'image-refused', { image, detail: error.message });
      return { fault: error.message };
    }
  }

  async function held(image: string): Promise<HeldImage | null> {
    const pull = catalogue().entries.find((entry) => entry.image === image)?.pull ?? null;
    return (await images.find(image)) ?? (pull === null ? null : images.find(pull.digest));
  }

  async function look(): Promise<boolean> {
    await shelf.load();
    const { entries } = catalogue();
    containers.knows(entries);
    const all = [...new Set(entries.map(({ image }) => image))];
    const awaited = new Set(
      wantedImages(catalogue(), shares).flatMap(({ image, pull }) => (pull === null ? [image] : [])),
    );
    const states = await Promise.all(all.map(async (image) => [image, await state(image)] as const));
    present = new Set(states.flatMap(([image, is]) => (is === 'present' ? [image] : [])));
    faulty = new Map(states.flatMap(([image, is]) => (typeof is === 'string' ? [] : [[image, is.fault] as const])));
    for (const image of present) {
      const found = sizes.has(image) ? null : await held(image);
      if (found === null) continue;
      sizes.set(image, found.bytes);
      if (shelf.has(image)) shelf.sized(image, found.bytes);
    }
    changed();
    // What is fetched by us we see come.
    return all.length > 0 && [...awaited].every((image) => present.has(image));
  }

  const ready = (entry: CatalogueEntry): boolean =>
    imagesFor(entry, catalogue()).every(({ image }) => present.has(image));
  /** Whether it is, or can come to be, on this machine. */
  const possible = (entry: CatalogueEntry): boolean =>
    imagesFor(entry, catalogue()).every(
      (one) => present.has(one.image) || (one.pull !== null && refusal(one) === null),
    );

  /** What serves the sandbox serves every lane. */
  const mayFetch = ({ purpose, lane }: CatalogueEntry): boolean =>
    purpose === 'work' ? allowed[lane] : LANES.some((each) => allowed[each]);

  function obstacleOf(entry: CatalogueEntry): ImageObstacle | null {
    const { pull } = entry;
    const refused = refusal(entry);
    if (refused !== null) return { kind: 'refused', detail: refused };
    if (pull === null) return { kind: 'no-source' };
    const trouble = troubleOf(entry);
    if (trouble !== undefined && trouble.at > clock.now()) {
      return { kind: 'failed', detail: trouble.detail, at: trouble.at };
    }
    const room = roomFor(pull.bytes, {
      // Where the disk cannot be looked at, the guards speak: unknown is doubt, unavailable is not asked.
      freeBytes: typeof free === 'number' ? free : null,
      minFreeBytes: policyOf(settings.current().settings).minFreeDiskBytes,
      usedBytes: shelf.usedBytes(),
      budgetBytes: budget(),
      unpackedBytes: sizes.get(entry.image) ?? null,
    });
    if (room !== null) return room;
    return mayFetch(entry) ? null : { kind: 'waiting' };
  }

  function consider(): void {
    if (closed) return;
    if (current !== null) {
      if (!mayFetch(current.entry)) current.over.abort();
      return;
    }
    const missing = wantedImages(catalogue(), shares).filter(({ image }) => !present.has(image));
    const next = missing.find((entry) => obstacleOf(entry) === null);
    if (next !== undefined && next.pull !== null) begin(next, next.pull);
  }

  function begin(entry: CatalogueEntry, source: PullSource): void {
    const mine: Fetch = {
      ...{ entry, over: new AbortController(), progress: { downloadedBytes: 0, unpackedBytes: 0 } },
      done: Promise.resolve(),
    };
    current = mine;
    mine.done = fetch(mine, source)
      .then(() => void troubles.delete(keyOf(entry.image, source)))
      .catch((error: unknown) => failed(entry, source, error))
      .finally(() => {
        current = null;
        changed();
        wake();
      });
    changed();
  }

  async function fetch(mine: Fetch, source: PullSource): Promise<void> {
    const { entry, over } = mine;
    await shelf.load();
    // There after all, and then it is somebody else's: it came without us.
    if (await containers.hasImage(entry.image)) {
      present = new Set([...present, entry.image]);
      return;
    }
    log('info', 'image-fetch', { image: nameOf(source), bytes: source.bytes });
    await shelf.note({ repository: source.repository, digest: source.digest, image: entry.image });
    try {
      const held = await images.pull(source, imageIds(entry), {
        signal: over.signal,
        onProgress: (progress) => heard(mine, progress),
      });
      sizes.set(entry.image, held.bytes);
      shelf.sized(entry.image, held.bytes);
      present = new Set([...present, entry.image]);
      log('info', 'image-fetched', { image: nameOf(source), bytes: held.bytes });
    } catch (error) {
      // Given up in the moment in which it came: then it is here, and ours. An engine that is away is asked later.
      const came = await images.find(nameOf(source)).catch(() => 'unknown' as const);
      if (came === null) await shelf.drop(source);
      throw error;
    }
  }

  function heard(mine: Fetch, progress: PullProgress): void {
    const before = step(mine);
    traffic.add(mine.entry.lane, 'in', progress.downloadedBytes - mine.progress.downloadedBytes);
    mine.progress = progress;
    changed();
    if (step(mine) !== before) wake();
  }

  function failed(entry: CatalogueEntry, source: PullSource, error: unknown): void {
    const { code, message } = asFailure(error);
    log(code === 'CANCELLED' ? 'info' : 'warn', 'image-not-fetched', { image: nameOf(source), code, detail: message });
    if (code === 'CANCELLED') return;
    const key = keyOf(entry.image, source);
    const count = (troubles.get(key)?.count ?? 0) + 1;
    const chance = Number.parseInt(random.hex32().slice(2, 8), 16) / 0xffffff;
    const firm = code === 'NOT_FOUND' || code === 'UNAUTHORISED';
    const wait = firm ? REFUSED_AGAIN_MS : retryAfterMs(count, chance);
    troubles.set(key, {
      ...{ detail: message, count, at: clock.now() + wait },
      kind: code === 'REFUSED' ? 'refused' : 'failed',
    });
    if (code === 'REFUSED') return;
    cancelRetry();
    cancelRetry = clock.after(wait, wake);
  }

  /** Bytes of `bytes` that are done: half of the work is the download, half the unpacking. */
  const doneOf = ({ progress }: Fetch): number => Math.floor((progress.downloadedBytes + progress.unpackedBytes) / 2);
  function step(one: Fetch): number | null {
    const all = one.entry.pull?.bytes ?? 0;
    if (all === 0) return null;
    return Math.floor((Math.min(1, doneOf(one) / all) * 100) / STEP_PERCENT) * STEP_PERCENT;
  }

  /** Why none of this work can be fetched; nothing where one waits for its turn alone. */
  function stuckAt(work: readonly CatalogueEntry[]): Pick<Fetching, 'stuck'> {
    const causes = work.map((entry) =>
      imagesFor(entry, catalogue())
        .filter(({ image }) => !present.has(image))
        .map((one) => obstacleOf(one)?.kind)
        .find((kind) => kind === 'disk' || kind === 'budget' || kind === 'failed'),
    );
    const [stuck] = causes;
    return stuck === undefined || causes.includes(undefined) ? {} : { stuck };
  }

  return {
    look,
    lacks(image) {
      const entry = catalogue().entries.find((one) => one.image === image);
      if (entry === undefined) return false;
      return entry.purpose === 'work' ? !ready(entry) : !present.has(image);
    },
    offered: () => perLane((lane) => workIn(catalogue()).some((entry) => entry.lane === lane && possible(entry))),
    fetching: () =>
      perLane((lane) => {
        const work = workIn(catalogue()).filter((entry) => entry.lane === lane && possible(entry));
        if (work.length === 0 || work.some(ready)) return null;
        const one = current;
        const about =
          one !== null &&
          work.some((entry) => imagesFor(entry, catalogue()).some(({ image }) => image === one.entry.image));
        return one !== null && about ? { percent: step(one) } : { percent: null, ...stuckAt(work) };
      }),
    busy: () => current !== null,
    allow(fetches, freeBytes) {
      allowed = fetches;
      free = freeBytes;
      shelf.used(inUse());
      consider();
    },
    halt() {
      allowed = NEVER;
      current?.over.abort();
    },
    async tidy() {
      // Without a catalogue in force nothing is known to be needless.
      if (catalogue().entries.length === 0) return;
      await shelf.load();
      const went = await shelf.tidy({
        named: new Set(catalogue().entries.map(({ image }) => image)),
        wanted: new Set(wantedImages(catalogue(), shares).map(({ image }) => image)),
        serving: new Set(catalogue().entries.flatMap(({ image, purpose }) => (purpose === 'work' ? [] : [image]))),
        budgetBytes: budget(),
      });
      if (went.length === 0) return;
      await look();
      wake();
    },
    views: () =>
      catalogue().entries.map((entry): ImageView => {
        const { id, version, title, image, pull } = entry;
        const here = present.has(image);
        const fetching = current?.entry.image === image ? current : null;
        const obstacle = here || fetching !== null ? null : obstacleOf(entry);
        const refused = obstacle?.kind === 'refused';
        return {
          ...{ workload: id, version, title, image, obstacle, ours: shelf.has(image) },
          state: here ? 'present' : fetching !== null ? 'fetching' : refused ? 'refused' : 'missing',
          bytes: here ? (sizes.get(image) ?? null) : (pull?.bytes ?? null),
          doneBytes: fetching === null ? 0 : Math.min(pull?.bytes ?? 0, doneOf(fetching)),
        };
      }),
    async close() {
      closed = true;
      cancelRetry();
      current?.over.abort();
      await current?.done;
    },
  };
}
