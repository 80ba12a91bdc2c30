import { asFailure, type Failure } from '../../core/errors.ts';
import type { Address, Hex32 } from '../../core/primitives.ts';
import type { DeviceChannel } from '../channel.ts';
import { ChannelPool } from '../channel-pool.ts';
import type { EdgePlaces } from './places.ts';

/** Before a device that could not be reached, or broke off, is tried again. */
const REST_MS = 20_000;

/** A device that holds a content, and the one channel to it. */
export type EdgeDevice = {
  readonly device: Address;
  /** Requests under way. */
  busy: number;
  /** It gave something else than was asked for: it is never asked again. */
  liar: boolean;
  restsUntil: number;
};

/** The devices of one content, with their channels: opened when they are needed, and again when they broke. */
export class EdgeDevices {
  readonly #all: EdgeDevice[] = [];
  readonly #pool: ChannelPool;
  readonly #now: () => number;

  constructor(
    places: Pick<EdgePlaces, 'open'>,
    content: Hex32,
    devices: readonly Address[],
    now: () => number = () => performance.now(),
  ) {
    this.#pool = new ChannelPool((device, signal) => places.open(device, content, signal));
    this.#now = now;
    this.add(devices);
  }

  /** Whether any of them is new. */
  add(devices: readonly Address[]): boolean {
    const fresh = devices.filter((device) => !this.#all.some((one) => one.device === device));
    this.#all.push(...fresh.map((device) => ({ device, busy: 0, liar: false, restsUntil: 0 })));
    return fresh.length > 0;
  }

  /** The one that has least to do of those that `tried` leaves; null: there is none. One that rests comes last. */
  next(tried: ReadonlySet<EdgeDevice>): EdgeDevice | null {
    const now = this.#now();
    const left = this.#all.filter((one) => !one.liar && !tried.has(one));
    const order = (one: EdgeDevice): number => (one.restsUntil > now ? Number.MAX_SAFE_INTEGER : one.busy);
    return left.reduce<EdgeDevice | null>(
      (best, one) => (best === null || order(one) < order(best) ? one : best),
      null,
    );
  }

  /** Throws as `EdgePlaces.open` does. */
  readonly channel = ({ device }: EdgeDevice): Promise<DeviceChannel> => this.#pool.to(device);

  /** It failed: what comes next goes to others first. Answers why. */
  failed(one: EdgeDevice, error: unknown): Failure {
    const failure = asFailure(error);
    if (failure.code !== 'NOT_FOUND' && failure.code !== 'CANCELLED') one.restsUntil = this.#now() + REST_MS;
    return failure;
  }

  lied(one: EdgeDevice): void {
    one.liar = true;
    this.#pool.drop(one.device);
  }

  close(): void {
    this.#pool.close();
  }
}
