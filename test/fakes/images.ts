import {
  type FetchedImage,
  type HeldImage,
  type ImageRecord,
  type Images,
  nameOf,
  type Premises,
  type PullProgress,
} from '../../agent/image-ports.ts';
import type { PullSource } from '../../core/catalogue.ts';
import { Failure, fail } from '../../core/errors.ts';
import type { Belonging, Life } from '../../core/leftovers.ts';
import type { FakeContainers } from './containers.ts';

type Pull = {
  readonly name: string;
  readonly progress: (progress: PullProgress) => void;
  readonly end: (error?: Failure) => void;
};

/** A registry and an engine's images. A fetch ends when told; given up, it ends by itself. */
export class FakeImages implements Images {
  readonly names = new Map<string, string>();
  readonly sizes = new Map<string, number>();
  /** What the registry serves, by `repository@digest`: content ids. */
  readonly served = new Map<string, string>();
  readonly pulls: Pull[] = [];
  readonly used = new Set<string>();
  /** Fetches that are under way. */
  open = 0;
  readonly #engine: Pick<FakeContainers, 'images' | 'state'>;

  constructor(engine: Pick<FakeContainers, 'images' | 'state'>) {
    this.#engine = engine;
  }
  /** By content id. */
  get held(): Set<string> {
    return this.#engine.images;
  }
  #ready(): void {
    if (this.#engine.state.kind !== 'ready') fail('ENGINE_AWAY', 'the engine is away');
  }
  find = async (name: string): Promise<HeldImage | null> => {
    this.#ready();
    const id = this.names.get(name) ?? name;
    if (!this.held.has(id)) return null;
    const names = [...this.names].flatMap(([own, of]) => (of === id ? [own] : []));
    return { id, names, bytes: this.sizes.get(id) ?? 1_000 };
  };
  pull: Images['pull'] = async (source: PullSource, ids, { signal, onProgress }) => {
    this.#ready();
    const name = nameOf(source);
    this.open += 1;
    try {
      await new Promise<void>((resolve, reject) => {
        const stop = (): void => reject(new Failure('CANCELLED', 'not now'));
        if (signal.aborted) stop();
        signal.addEventListener('abort', stop);
        this.pulls.push({ name, progress: onProgress, end: (error) => (error ? reject(error) : resolve()) });
      });
    } finally {
      this.open -= 1;
    }
    const id = this.served.get(name) ?? fail('NOT_FOUND', 'the registry has no such image');
    if (!ids.includes(id)) fail('REFUSED', 'another image');
    this.held.add(id);
    this.names.set(name, id);
    return { id, names: [name], bytes: this.sizes.get(id) ?? 1_000 };
  };
  remove: Images['remove'] = async (source) => {
    this.#ready();
    const name = nameOf(source);
    const id = this.names.get(name);
    if (id === undefined) return 'gone';
    if (this.used.has(id)) return 'used';
    this.names.delete(name);
    if (![...this.names.values()].includes(id)) this.held.delete(id);
    return 'removed';
  };
}

export class FakeImageRecord implements ImageRecord {
  images: readonly FetchedImage[] = [];
  unwritable = false;
  load = async (): Promise<readonly FetchedImage[]> => this.images;
  save = async (images: readonly FetchedImage[]): Promise<void> => {
    if (this.unwritable) fail('DISK_FULL', 'no space left on device');
    this.images = images;
  };
}

/** Things of ours on an engine, beside the containers of jobs. */
export class FakePremises implements Premises {
  things: readonly Belonging[] = [];
  readonly lives = new Map<string, Life>();
  listed = 0;
  readonly #engine: Pick<FakeContainers, 'state'>;
  constructor(engine: Pick<FakeContainers, 'state'>) {
    this.#engine = engine;
  }
  list = async (): Promise<readonly Belonging[]> => {
    if (this.#engine.state.kind !== 'ready') fail('ENGINE_AWAY', 'the engine is away');
    this.listed += 1;
    return this.things;
  };
  remove: Premises['remove'] = async ({ id }) => {
    this.things = this.things.filter((thing) => thing.id !== id);
  };
}
