import type { PullSource } from '../core/catalogue.ts';
import type { Belonging, Life } from '../core/leftovers.ts';
import type { UnixMs } from '../core/primitives.ts';

/** An image that the engine holds. */
export type HeldImage = {
  /** As the engine names its content. */
  readonly id: string;
  /** `repository:tag` and `repository@digest`. */
  readonly names: readonly string[];
  /** On disk; layers that other images share are counted whole. */
  readonly bytes: number;
};

/** Both in bytes of the compressed layers; layers that were there already are in neither. */
export type PullProgress = { readonly downloadedBytes: number; readonly unpackedBytes: number };

/** The engine's images. All throw ENGINE_AWAY. */
export type Images = {
  /** By content id, or as `repository@digest`; null: it is not there. */
  readonly find: (name: string) => Promise<HeldImage | null>;
  /**
   * Fetches the image and looks at what came: one whose content is none of `ids`, or that no launch can make safe, is
   * removed again. Throws REFUSED (it is not what the catalogue names, or may not run), NOT_FOUND (the registry has no such
   * image), UNAUTHORISED (it wants credentials, or others), DISK_FULL, CANCELLED (by `signal`), REGISTRY_AWAY (the rest:
   * worth another try).
   */
  readonly pull: (
    source: PullSource,
    ids: readonly string[],
    options: { readonly signal: AbortSignal; readonly onProgress: (progress: PullProgress) => void },
  ) => Promise<HeldImage>;
  /**
   * Takes the name `repository@digest` away, and with the last name the image. `used`: by a container, or by an image built
   * on it; nothing has changed then.
   */
  readonly remove: (source: Pick<PullSource, 'repository' | 'digest'>) => Promise<'removed' | 'used' | 'gone'>;
};

/** An image that this device has fetched, or is about to: what is not in the record is somebody else's. */
export type FetchedImage = {
  readonly repository: string;
  readonly digest: string;
  /** Content id, as the catalogue names it. */
  readonly image: string;
  /** When work last needed it. */
  readonly usedAt: UnixMs;
};

/** What this device has fetched; survives restarts. */
export type ImageRecord = {
  /** A record that cannot be read is empty: what it named is nobody's, and stays. */
  readonly load: () => Promise<readonly FetchedImage[]>;
  /** On disk when it resolves. Throws DISK_FULL. */
  readonly save: (images: readonly FetchedImage[]) => Promise<void>;
};

export const nameOf = ({ repository, digest }: Pick<PullSource, 'repository' | 'digest'>): string =>
  `${repository}@${digest}`;

/** What bears our label on the engine. Both throw ENGINE_AWAY. */
export type Premises = {
  /** Of every device; of volumes and networks only those that no container has. */
  readonly list: () => Promise<readonly Belonging[]>;
  /** Gone already, or used after all, is success. */
  readonly remove: (thing: Pick<Belonging, 'kind' | 'id'>) => Promise<void>;
};

/** What the agent keeps on the engine, and what it launches under. */
export type Holdings = {
  readonly images: Images;
  readonly imageRecord: ImageRecord;
  readonly premises: Premises;
  /** Whether the agent behind a `home` label lives. */
  readonly lives: (home: string) => Life;
  /** Of this agent; without it no other can tell that it is dead. */
  readonly home?: string;
  /** JSON text of the seccomp profile. */
  readonly seccompProfile: string;
};
