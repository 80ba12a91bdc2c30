import type { CatalogueEntry } from '../core/catalogue.ts';
import { asFailure, type Failure } from '../core/errors.ts';
import type { Address, Hex32, UnixMs } from '../core/primitives.ts';
import { containerSpec, limitUpdate, type Share } from '../core/sandbox.ts';
import type { Launch } from './engine-watch.ts';
import type { ContainerRun, Ports } from './ports.ts';
import { openService, type Service } from './service.ts';

const BACKOFF_MS = { first: 1_000, last: 60_000 } as const;
/** One that has run for so long begins its back-off anew. */
const STEADY_MS = 5 * 60_000;

/** What should run; null: nothing. */
export type Wanted = {
  readonly entry: CatalogueEntry;
  readonly launch: Launch;
  readonly share: Share;
  /** Makes the store ready and answers its volume; null: the service has none. */
  readonly store: (() => Promise<string>) | null;
  /** Another place is another service. */
  readonly place: string;
};

/**
 *   off ──► starting ──► serving ──► (its container ends) ──► failed ──► starting …
 *    ▲          └───────────┴─ not wanted any more, from anywhere ──────────► off
 */
export type ServiceState =
  | { readonly kind: 'off' }
  | { readonly kind: 'starting' }
  | { readonly kind: 'serving' }
  | { readonly kind: 'failed'; readonly detail: string; readonly againAt: UnixMs };

export type ServiceKeeper = {
  /** States a level, as often as one likes. A change of the share takes effect in the running container. */
  readonly want: (wanted: Wanted | null) => void;
  /** null: it does not serve now. */
  readonly service: () => Service | null;
  readonly state: () => ServiceState;
  /** Names its container; null: there is none, nor will there be. */
  readonly id: () => Hex32 | null;
  readonly close: () => Promise<void>;
};

type KeeperOptions = {
  readonly ports: Pick<Ports, 'clock' | 'containers' | 'home' | 'log' | 'random' | 'seccompProfile'>;
  readonly device: Address;
  readonly instance: string;
  /** Before anybody else may ask it anything. Throws when it cannot be used so. */
  readonly prepare: (service: Service) => Promise<void>;
  /** It serves, or does so no more. */
  readonly changed: () => void;
  /** The engine may be away. */
  readonly doubtEngine: () => void;
};

/** Keeps one service workload running for as long as it is wanted, with a store that outlives it. Its data stays when it ends. */
export function createServiceKeeper(options: KeeperOptions): ServiceKeeper {
  const { ports, changed } = options;
  const { clock, containers, log } = ports;
  let wanted: Wanted | null = null;
  let state: ServiceState = { kind: 'off' };
  let current: { readonly id: Hex32; run: ContainerRun | null; service: Service | null } | null = null;
  let wait: number = BACKOFF_MS.first;
  let cancel = (): void => undefined;
  let limited: Share | null = null;
  let over: Promise<void> = Promise.resolve();

  function become(next: ServiceState): void {
    state = next;
    changed();
  }

  const alike = (a: Wanted, b: Wanted): boolean =>
    a.entry.image === b.entry.image && a.place === b.place && a.launch.runtime === b.launch.runtime;

  function want(next: Wanted | null): void {
    const before = wanted;
    wanted = next;
    if (next === null || (before !== null && !alike(before, next))) stop();
    if (next === null) {
      cancel();
      wait = BACKOFF_MS.first;
      if (state.kind !== 'off' && current === null) become({ kind: 'off' });
      return;
    }
    if (current === null) {
      // One that has failed waits out its time.
      if (state.kind === 'off') begin();
      return;
    }
    limit().catch((error: unknown) => log('warn', 'service-not-limited', { detail: asFailure(error).message }));
  }

  async function limit(): Promise<void> {
    const run = current?.run ?? null;
    if (run === null || wanted === null || limited === wanted.share) return;
    limited = wanted.share;
    await containers.setLimits(run.containerId, limitUpdate(wanted.entry, wanted.share));
  }

  function stop(): void {
    current?.service?.close();
    current?.run?.shut();
  }

  function begin(): void {
    if (wanted === null || current !== null) return;
    cancel();
    const mine = { id: ports.random.hex32(), run: null, service: null };
    current = mine;
    become({ kind: 'starting' });
    over = serve(wanted, mine);
  }

  /** One life of it, from its launch to its end. Never throws. */
  async function serve(life: Wanted, mine: NonNullable<typeof current>): Promise<void> {
    const begun = clock.now();
    let failure: Failure | null = null;
    try {
      const { run, service } = await launch(life, mine);
      mine.run = run;
      await options.prepare(service);
      if (wanted === null || !alike(wanted, life)) service.close();
      else {
        mine.service = service;
        become({ kind: 'serving' });
        log('info', 'service-started', { workload: life.entry.id, version: life.entry.version });
        void limit();
      }
      failure = await service.ended;
    } catch (error) {
      failure = asFailure(error);
    }
    const { run } = mine;
    run?.shut();
    if (run !== null) await containers.remove(run.containerId).catch(() => options.doubtEngine());
    current = null;
    limited = null;
    if (clock.now() - begun > STEADY_MS) wait = BACKOFF_MS.first;
    ended(life, failure);
  }

  function ended(life: Wanted, failure: Failure | null): void {
    if (wanted === null) {
      become({ kind: 'off' });
      return;
    }
    if (failure === null || !alike(wanted, life)) {
      state = { kind: 'off' };
      begin();
      return;
    }
    log('warn', 'service-failed', { workload: life.entry.id, code: failure.code, detail: failure.message });
    if (failure.code === 'ENGINE_AWAY') options.doubtEngine();
    become({ kind: 'failed', detail: failure.message, againAt: clock.now() + wait });
    cancel = clock.after(wait, begin);
    wait = Math.min(wait * 2, BACKOFF_MS.last);
  }

  async function launch(
    { entry, launch: { door: image, runtime }, share, store }: Wanted,
    { id }: { readonly id: Hex32 },
  ): Promise<{ readonly run: ContainerRun; readonly service: Service }> {
    const { device, instance } = options;
    const volume = store === null ? null : await store();
    const grants = {
      door: await containers.door(entry.image, image, device),
      ...(volume === null || entry.store === null ? {} : { store: { volume, folder: entry.store } }),
      ...(runtime === undefined ? {} : { runtime }),
    };
    const labels = { lease: id, device, instance, home: ports.home, role: 'service' as const };
    limited = share;
    const run = await containers.run(containerSpec(entry, share, labels, ports.seccompProfile, grants));
    // No passage: between here and its sandbox is no line. What goes out to others is counted where it does.
    return { run, service: openService(run, { clock }) };
  }

  return {
    want,
    service: () => current?.service ?? null,
    state: () => state,
    id: () => current?.id ?? null,
    async close() {
      want(null);
      await over;
    },
  };
}
