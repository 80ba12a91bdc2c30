import { asFailure } from '../core/errors.ts';
import { leftovers } from '../core/leftovers.ts';
import type { Address, Hex32 } from '../core/primitives.ts';
import type { ImageKeeper } from './image-keeper.ts';
import type { Ports } from './ports.ts';

const EVERY_MS = 10 * 60_000;
/** After a failure: the engine has just gone, or is busy. */
const AGAIN_MS = 60_000;

/**
 * Removes what nobody needs any more (core/leftovers.ts) and the images that are not needed here: when the engine has come, and
 * from time to time. Beside the rounds, which wait for none of it.
 */
export type Janitor = {
  /** The engine has answered. Cheap: most calls do nothing. */
  readonly consider: () => void;
  /** It was away, or something changed that makes images needless: the next call works. */
  readonly due: () => void;
  /** Waits for what is under way. */
  readonly close: () => Promise<void>;
};

type JanitorOptions = {
  readonly ports: Pick<Ports, 'clock' | 'log' | 'premises' | 'lives'>;
  readonly device: Address;
  readonly instance: string;
  readonly leases: () => ReadonlySet<Hex32>;
  readonly images: Pick<ImageKeeper, 'tidy'>;
  /** What the owner gives to images; less than before makes some needless. */
  readonly budget: () => number;
  readonly wake: () => void;
};

export function createJanitor({ ports, device, instance, leases, images, budget, wake }: JanitorOptions): Janitor {
  const { clock, log, premises, lives } = ports;
  let next = 0;
  let given = budget();
  let working: Promise<void> | null = null;
  let closed = false;
  let cancel = (): void => undefined;

  async function work(): Promise<void> {
    // Listed first and judged after: what is listed of an agent that is dead then was made before.
    const things = await premises.list();
    const gone = leftovers(things, { device, instance, now: clock.now(), leases: leases(), lives });
    // Containers first: what they use is free after that, and goes the next time.
    for (const thing of gone) {
      if (closed) return;
      log('info', 'leftover-removed', { kind: thing.kind, id: thing.id });
      await premises.remove(thing);
    }
    await images.tidy();
  }

  async function clean(): Promise<void> {
    let wait = EVERY_MS;
    try {
      await work();
    } catch (error) {
      wait = AGAIN_MS;
      log('warn', 'janitor', { detail: asFailure(error).message });
    }
    if (closed) return;
    next = Math.min(next, clock.now() + wait);
    cancel();
    cancel = clock.after(wait, wake);
  }

  return {
    consider() {
      if (budget() !== given) next = 0;
      if (closed || working !== null || clock.now() < next) return;
      given = budget();
      next = Number.POSITIVE_INFINITY;
      working = clean().finally(() => {
        working = null;
      });
    },
    due() {
      next = 0;
    },
    async close() {
      closed = true;
      cancel();
      await working;
    },
  };
}
