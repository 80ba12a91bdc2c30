import type { Catalogue } from '../core/catalogue.ts';
import type { Lane, PerLane } from '../core/primitives.ts';
import type { DeviceMessage } from '../core/wire.ts';
import type { Books } from './books.ts';
import type { Launch } from './engine-watch.ts';
import type { GpuChoice } from './gpu-choice.ts';
import type { CoordinatorLink, DeviceKey, Ports } from './ports.ts';
import type { Reporting } from './reporting.ts';
import type { Trial } from './trial.ts';

/** What the jobs need of their surroundings. */
export type JobsOptions = {
  readonly ports: Pick<Ports, 'clock' | 'containers' | 'home' | 'log' | 'seccompProfile' | 'traffic' | 'workspace'>;
  readonly books: Books;
  readonly reporting: Reporting;
  readonly catalogue: () => Catalogue;
  readonly launch: () => Launch;
  readonly gpus: GpuChoice;
  readonly trial: Trial;
  readonly instance: string;
  readonly slots: PerLane<number>;
  readonly link: () => CoordinatorLink | null;
  readonly key: () => DeviceKey | null;
  readonly send: (message: DeviceMessage) => boolean;
  /** The network's clock minus this device's, ms. */
  readonly skew: () => number;
  readonly doubtSkew: () => void;
  /** A lease was declined: the coordinator may have counted its slot as taken. */
  readonly declined: (lane: Lane) => void;
  readonly doubtEngine: () => void;
  /** Work was ended, because the engine was too slow or refused to freeze it. */
  readonly escalated: (detail: string) => void;
  readonly changed: () => void;
  readonly wake: () => void;
};
