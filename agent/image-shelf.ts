import { asFailure } from '../core/errors.ts';
import { imagesToRemove } from '../core/images.ts';
import { type FetchedImage, nameOf } from './image-ports.ts';
import type { Ports } from './ports.ts';

/** What this device has fetched: the record of it, and its end. What is not in the record is never touched. */
export type ImageShelf = {
  /** Idempotent. */
  readonly load: () => Promise<void>;
  readonly has: (image: string) => boolean;
  /** Of all that is kept, on disk. */
  readonly usedBytes: () => number;
  /** Notes a fetch before it begins: what comes is ours even if nobody lives to see it. Throws DISK_FULL. */
  readonly note: (image: Omit<FetchedImage, 'usedAt'>) => Promise<void>;
  /** It has come, or the engine said how large it is. */
  readonly sized: (image: string, bytes: number) => void;
  /** Nothing came. */
  readonly drop: (image: Pick<FetchedImage, 'repository' | 'digest'>) => Promise<void>;
  readonly used: (images: readonly string[]) => void;
  /** Lets go what is not needed. Answers the content that went. Throws ENGINE_AWAY. */
  readonly tidy: (need: Omit<Parameters<typeof imagesToRemove>[1], 'busy'>) => Promise<readonly string[]>;
};

/** The record is written again when the times in it are older than this. */
const NOTE_USE_MS = 3_600_000;

type ShelfOptions = Pick<Ports, 'clock' | 'log' | 'images' | 'imageRecord'> & {
  /** Content that work runs on, or that is being fetched. */
  readonly busy: () => ReadonlySet<string>;
};

export function createImageShelf({ clock, log, images, imageRecord, busy }: ShelfOptions): ImageShelf {
  let loaded: Promise<void> | null = null;
  let kept: readonly FetchedImage[] = [];
  const sizes = new Map<string, number>();
  let writing: Promise<void> = Promise.resolve();

  /** One write after the other; the newest state is what each writes. */
  function save(next: readonly FetchedImage[]): Promise<void> {
    kept = next;
    const written = writing.then(() => imageRecord.save(kept));
    writing = written.catch(() => undefined);
    return written;
  }
  const quietly = (next: readonly FetchedImage[]): Promise<void> =>
    save(next).catch((error: unknown) => log('warn', 'image-record', { detail: asFailure(error).message }));
  const same = (a: Pick<FetchedImage, 'repository' | 'digest'>, b: typeof a): boolean => nameOf(a) === nameOf(b);

  return {
    load: () => {
      loaded ??= imageRecord.load().then((list) => {
        kept = list;
      });
      return loaded;
    },
    has: (image) => kept.some((one) => one.image === image),
    usedBytes: () =>
      [...new Set(kept.map(({ image }) => image))].reduce((sum, image) => sum + (sizes.get(image) ?? 0), 0),
    note: ({ repository, digest, image }) => {
      const rest = kept.filter((one) => !same(one, { repository, digest }));
      return save([...rest, { repository, digest, image, usedAt: clock.now() }]);
    },
    sized: (image, bytes) => void sizes.set(image, bytes),
    drop: (gone) => quietly(kept.filter((one) => !same(one, gone))),
    used(used) {
      const now = clock.now();
      const stale = ({ image, usedAt }: FetchedImage): boolean => used.includes(image) && now - usedAt > NOTE_USE_MS;
      if (kept.some(stale)) void quietly(kept.map((one) => (stale(one) ? { ...one, usedAt: now } : one)));
    },
    async tidy(need) {
      const here: (FetchedImage & { readonly bytes: number })[] = [];
      for (const one of kept) {
        const found = await images.find(nameOf(one));
        // Being fetched just now: it has no name yet.
        if (found === null && !busy().has(one.image)) await quietly(kept.filter((other) => !same(other, one)));
        if (found === null) continue;
        sizes.set(one.image, found.bytes);
        here.push({ ...one, bytes: found.bytes });
      }
      const went: string[] = [];
      // Asked anew for each: a fetch or a job may have begun meanwhile.
      for (const one of imagesToRemove(here, { ...need, busy: busy() })) {
        if (busy().has(one.image)) continue;
        const end = await images.remove(one);
        log('info', 'image-removed', { image: nameOf(one), end });
        if (end === 'used') continue;
        await quietly(kept.filter((other) => !same(other, one)));
        went.push(one.image);
      }
      return went;
    },
  };
}
