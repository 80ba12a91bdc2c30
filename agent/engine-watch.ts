import { type Catalogue, systemImage, workIn } from '../core/catalogue.ts';
import { type GvisorChoice, runtimeFor, unfitness } from '../core/engine-gates.ts';
import { asFailure, Failure, isFailure } from '../core/errors.ts';
import type { Address, Lane, PerLane } from '../core/primitives.ts';
import { perLane } from '../core/primitives.ts';
import type { ObservedContainer } from '../core/reconcile.ts';
import type { EngineState, Signals } from '../core/signals.ts';
import type { ImageKeeper } from './image-keeper.ts';
import type { Janitor } from './janitor.ts';
import type { Ports, Unsubscribe } from './ports.ts';

const BACKOFF_MS = { first: 1_000, last: 30_000 } as const;
const IMAGES_AGAIN_MS = 15_000;
/** A trial that failed may have met a machine that was busy. */
const TRIAL_AGAIN_MS = 10 * 60_000;
/** An engine that has not said by then what it runs is in doubt: no round waits for it any longer. */
const LOOK_MS = 3_000;

/** What every launch begins with. */
export type Launch = {
  /** Image of the supervisor that ends work with its agent; empty: the catalogue has none. */
  readonly door: string;
  /** Image of the gateway for work that may reach the internet; missing: the catalogue has none. */
  readonly gateway?: string;
  /** Without it, what the engine takes by itself. */
  readonly runtime?: 'runsc';
};

/** What is known of the engine. Asked on events and, while it is not ready, with back-off; never just because time passes. */
export type EngineWatch = {
  readonly state: () => EngineState;
  readonly offered: () => PerLane<boolean>;
  readonly fetching: () => Signals['fetching'];
  /** Its containers of this device; none while it is not ready. Never throws. */
  readonly look: () => Promise<readonly ObservedContainer[]>;
  readonly launch: () => Launch;
  /** An operation found the engine away, or an image gone. */
  readonly doubt: () => void;
  readonly close: () => void;
};

type EngineWatchOptions = {
  readonly ports: Pick<Ports, 'clock' | 'log' | 'containers'> & {
    readonly settings: Pick<Ports['settings'], 'current'>;
  };
  readonly device: Address;
  readonly catalogue: () => Catalogue;
  readonly images: Pick<ImageKeeper, 'look' | 'lacks' | 'offered' | 'fetching'>;
  /** None where nothing is to be cleaned up. */
  readonly janitor?: Pick<Janitor, 'consider' | 'due'>;
  readonly wake: () => void;
};

export function createEngineWatch({
  ports,
  device,
  catalogue,
  images,
  janitor,
  wake,
}: EngineWatchOptions): EngineWatch {
  const { clock, log, containers } = ports;
  const gvisor = (): GvisorChoice => ports.settings.current().settings.engine.gvisor;
  let state: EngineState = { kind: 'unchecked' };
  let due = true;
  let wait: number = BACKOFF_MS.first;
  let cancel = (): void => undefined;
  let cancelImages = (): void => undefined;
  let imagesDue = true;
  /** A look that nobody waits for any more is still unanswered: the next one waits for its end, and the rounds do not. */
  let hanging = false;

  /** Whether a container has run under gVisor, since the engine was last found; null: not tried. */
  let works: boolean | null = null;
  let trialDue = true;
  let cancelTrial = (): void => undefined;

  /** What the engine is to us: it may answer and still not be one for strangers' work. */
  function judged(): EngineState {
    const facts = state.kind === 'ready' ? containers.facts() : null;
    if (facts === null) return state;
    const why = unfitness(facts, catalogue().minimums);
    if (why !== null) return { kind: 'unfit', why };
    const runtime = runtimeFor(gvisor(), { offered: facts.runtimes.includes('runsc'), works });
    return typeof runtime === 'object' ? { kind: 'unfit', why: runtime } : state;
  }

  async function tryGvisor(): Promise<void> {
    const door = systemImage(catalogue(), 'door');
    const offered = containers.facts()?.runtimes.includes('runsc') === true;
    if (!trialDue || !offered || gvisor() === 'never' || door === null || images.lacks(door)) return;
    trialDue = false;
    works = await containers.runsUnder('runsc', door, device);
    log(works ? 'info' : 'warn', 'gvisor', { works });
    cancelTrial();
    if (works) return;
    cancelTrial = clock.after(TRIAL_AGAIN_MS, () => {
      trialDue = true;
      wake();
    });
  }

  const later = (ms: number, run: () => void): void => {
    cancel();
    cancel = clock.after(ms, () => {
      run();
      wake();
    });
  };

  const unsubscribe: Unsubscribe = containers.onEvent(device, () => {
    if (state.kind !== 'ready') due = true;
    wake();
  });

  async function check(): Promise<void> {
    due = false;
    const before = state.kind;
    state = await containers.check();
    if (state.kind !== before) log('info', 'engine', { ...state });
    if (state.kind === 'ready') {
      wait = BACKOFF_MS.first;
      if (before !== 'ready') {
        imagesDue = true;
        works = null;
        trialDue = true;
        janitor?.due();
        containers.egress.sweep(device).catch((error: unknown) => {
          log('warn', 'gateways-not-removed', { detail: asFailure(error).message });
        });
      }
      return;
    }
    later(wait, () => {
      due = true;
    });
    wait = Math.min(wait * 2, BACKOFF_MS.last);
  }

  async function findImages(): Promise<void> {
    const all = await images.look();
    imagesDue = false;
    if (all) return;
    cancelImages();
    cancelImages = clock.after(IMAGES_AGAIN_MS, () => {
      imagesDue = true;
      wake();
    });
  }

  async function observe(): Promise<readonly ObservedContainer[]> {
    if (due || state.kind === 'unchecked') await check();
    if (state.kind !== 'ready' || hanging) return [];
    return inTime(ask());
  }

  async function ask(): Promise<readonly ObservedContainer[]> {
    if (imagesDue) await findImages();
    await tryGvisor();
    const list = await containers.list(device);
    janitor?.consider();
    return list;
  }

  async function inTime<T>(answer: Promise<T>): Promise<T> {
    let cancelLate = (): void => undefined;
    const late = new Promise<never>((_resolve, reject) => {
      cancelLate = clock.after(LOOK_MS, () => {
        hanging = true;
        const answered = (): void => {
          hanging = false;
          wake();
        };
        answer.then(answered, answered);
        reject(new Failure('ENGINE_AWAY', `the engine has not said within ${LOOK_MS} ms what it runs`));
      });
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      cancelLate();
    }
  }

  return {
    state: judged,
    launch: () => {
      const offered = containers.facts()?.runtimes.includes('runsc') === true;
      const gvisored = runtimeFor(gvisor(), { offered, works }) === 'runsc';
      const gateway = systemImage(catalogue(), 'gateway');
      return {
        door: systemImage(catalogue(), 'door') ?? '',
        ...(gateway === null ? {} : { gateway }),
        ...(gvisored ? { runtime: 'runsc' } : {}),
      };
    },
    // What an engine that is away would offer is unknown: then its absence is the reason, not the lane.
    offered: () => (state.kind === 'ready' ? images.offered() : perLane((lane) => worksOn(catalogue(), lane))),
    // What an engine that is away lacks is unknown, and its absence the reason.
    fetching: () => (state.kind === 'ready' ? images.fetching() : perLane(() => null)),
    async look() {
      try {
        return await observe();
      } catch (error) {
        const { message, code } = asFailure(error);
        log('warn', 'engine-lost', { code, detail: message });
        if (!isFailure(error, 'ENGINE_AWAY')) {
          later(BACKOFF_MS.first, () => undefined);
          return [];
        }
        await check().catch(() => undefined);
        // Between failing and answering again it may be starting: its containers are looked at in the next round.
        if (state.kind === 'ready') later(BACKOFF_MS.first, () => undefined);
        return [];
      }
    },
    doubt() {
      due = true;
      imagesDue = true;
      janitor?.due();
      wake();
    },
    close() {
      cancel();
      cancelImages();
      cancelTrial();
      unsubscribe();
    },
  };
}

const worksOn = (list: Catalogue, lane: Lane): boolean => workIn(list).some((entry) => entry.lane === lane);
