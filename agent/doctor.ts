import type { Catalogue } from '../core/catalogue.ts';
import { type CatalogueProblem, type Diagnosed, diagnose } from '../core/doctor.ts';
import { policyOf } from '../core/policy.ts';
import type { CoordinatorState } from '../core/signals.ts';
import type { Problem } from '../core/snapshot.ts';
import { combine } from './combine.ts';
import type { EngineWatch } from './engine-watch.ts';
import type { Ports } from './ports.ts';

type DoctorOptions = {
  readonly ports: Pick<Ports, 'clock' | 'containers' | 'sensors' | 'machineFacts'> & {
    readonly settings: Pick<Ports['settings'], 'current'>;
  };
  readonly engine: Pick<EngineWatch, 'state' | 'launch'>;
  readonly catalogue: () => Catalogue;
  readonly catalogueProblems: () => readonly Problem[];
  readonly coordinator: () => CoordinatorState;
  /** The network's clock minus this device's, ms; null: it was never heard. */
  readonly skewMs: () => number | null;
};

/** Looks at everything that sharing needs. Asks the system and the engine anew: some seconds on a slow machine. Never throws. */
export async function examine(options: DoctorOptions): Promise<Diagnosed> {
  const { ports, engine, catalogue } = options;
  const { containers } = ports;
  const { settings } = ports.settings.current();
  await containers.check();
  containers.knows(catalogue().entries);
  const images = [...new Set(catalogue().entries.map(({ image }) => image))];
  const [machine, free, gpus, present] = await Promise.all([
    ports.machineFacts(),
    Promise.all(ports.sensors.sources.freeDiskBytes.map((source) => source.read().catch(() => 'unknown' as const))),
    Promise.all(ports.sensors.sources.gpus.map((source) => source.read().catch(() => 'unknown' as const))),
    Promise.all(images.map((image) => containers.hasImage(image).catch(() => false))),
  ]);
  const skew = options.skewMs();
  const findings = diagnose({
    ...{ machine, engine: engine.state(), facts: containers.facts(), place: containers.place() },
    gvisor: { choice: settings.engine.gvisor, inUse: engine.launch().runtime === 'runsc' },
    freeDiskBytes: free[0] ?? 'unavailable',
    neededDiskBytes: policyOf(settings).minFreeDiskBytes,
    gpus: combine.lists(gpus),
    catalogue: options
      .catalogueProblems()
      .filter((problem) => problem.kind.startsWith('catalogue-')) as readonly CatalogueProblem[],
    coordinator: options.coordinator(),
    skewMs: skew ?? 'unknown',
    images: { listed: images.length, present: present.filter((here) => here).length },
  });
  return { at: ports.clock.now(), findings };
}
