import type { Catalogue } from '../core/catalogue.ts';
import { createEngineWatch, type EngineWatch } from './engine-watch.ts';
import { createImageKeeper, type ImageKeeper } from './image-keeper.ts';
import { createJanitor, type Janitor } from './janitor.ts';
import type { Jobs } from './jobs.ts';
import type { Lending } from './lending.ts';
import type { Ports } from './ports.ts';

/** What looks after the engine: whether it answers, which images it holds, and what is left lying about on it. */
export type Housekeeping = {
  readonly engine: EngineWatch;
  readonly images: ImageKeeper;
  readonly janitor: Janitor;
};

export function createHousekeeping(options: {
  readonly ports: Ports;
  readonly instance: string;
  readonly catalogue: () => Catalogue;
  readonly jobs: () => Pick<Jobs, 'running' | 'held'>;
  readonly lending: () => Pick<Lending, 'services' | 'images'>;
  readonly wake: () => void;
  readonly changed: () => void;
}): Housekeeping {
  const { ports, instance, catalogue, jobs, wake, changed } = options;
  const { device } = ports.vault;
  const images = createImageKeeper({
    ...{ ports, catalogue, wake, changed },
    inUse: () => [
      ...jobs()
        .running()
        .map(({ image }) => image),
      ...options.lending().images(),
    ],
  });
  const janitor = createJanitor({
    ...{ ports, device, instance, images, wake },
    budget: () => ports.settings.current().settings.limits.imagesMiB,
    leases: () =>
      new Set([
        ...jobs()
          .held()
          .map(({ leaseId }) => leaseId),
        ...options.lending().services(),
      ]),
  });
  const engine = createEngineWatch({ ports, device, catalogue, images, janitor, wake });
  return { engine, images, janitor };
}
