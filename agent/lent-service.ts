import { type Catalogue, type CatalogueEntry, workIn } from '../core/catalogue.ts';
import type { LaneDecision, Reason } from '../core/decide.ts';
import type { Address, Hex32, Lane } from '../core/primitives.ts';
import { storeName } from '../core/stores.ts';
import type { Launch } from './engine-watch.ts';
import type { Ruling } from './lending.ts';
import type { Ports } from './ports.ts';
import type { Service } from './service.ts';
import { createServiceKeeper } from './services.ts';

/** Reasons that keep new work away, and end nothing that serves: it costs nothing to go on. */
const GO_ON: ReadonlySet<Reason['kind']> = new Set(['coordinator-away', 'settling', 'fetching-image']);

type LentOptions = {
  readonly ports: Pick<Ports, 'clock' | 'containers' | 'drives' | 'home' | 'log' | 'random' | 'seccompProfile'>;
  readonly lane: Extract<Lane, 'storage' | 'bandwidth'>;
  readonly device: Address;
  readonly instance: string;
  readonly catalogue: () => Catalogue;
  readonly lacks: (image: string) => boolean;
  readonly launch: () => Launch;
  readonly doubtEngine: () => void;
  /** The drive that the owner picked for its store; null: the engine's own place. */
  readonly folder: (ruling: Ruling) => string | null;
  readonly prepare: (service: Service) => Promise<void>;
  /** It serves, or does so no more. */
  readonly changed: () => void;
};

/** The service of a lane that lends: which one it is, when it runs, and where its store lies. */
export type LentService = {
  /** `stays`: it runs although the lane does not: others' data is still in it. */
  readonly rule: (ruling: Ruling, stays?: boolean) => void;
  readonly service: () => Service | null;
  readonly id: () => Hex32 | null;
  readonly image: () => string | null;
  readonly close: () => Promise<void>;
};

export function createLentService(options: LentOptions): LentService {
  const { ports, lane, device, instance, catalogue, lacks } = options;
  const { containers, drives, home } = ports;
  const keeper = createServiceKeeper({
    ...{ ports, device, instance, doubtEngine: options.doubtEngine, changed: options.changed },
    prepare: options.prepare,
  });
  let entry: CatalogueEntry | null = null;

  /** The one that runs is kept until the next one's image is here. */
  function current(): CatalogueEntry | null {
    const listed = workIn(catalogue()).find((one) => one.kind === 'service' && one.lane === lane) ?? null;
    if (listed === null) return null;
    return lacks(listed.image) && keeper.id() !== null ? entry : listed;
  }

  const runs = (decision: LaneDecision): boolean =>
    decision.kind === 'run' || (keeper.id() !== null && GO_ON.has(decision.reason.kind));

  return {
    rule(ruling, stays = false) {
      entry = current();
      if (entry === null || lacks(entry.image) || !(stays || runs(ruling.decision.lanes[lane]))) {
        return keeper.want(null);
      }
      const { id } = entry;
      const picked = options.folder(ruling);
      const name = storeName(device, id, drives.keyOf(picked));
      keeper.want({
        ...{ entry, launch: options.launch(), share: ruling.share, place: name },
        store: async () => {
          const folder = picked === null ? null : await drives.prepare(picked, id);
          return await containers.store({ name, device, home, folder });
        },
      });
    },
    service: keeper.service,
    id: keeper.id,
    image: () => (keeper.id() === null ? null : (entry?.image ?? null)),
    close: keeper.close,
  };
}
