import { asFailure, type Failure } from '../../core/errors.ts';
import type { Address, Hex32 } from '../../core/primitives.ts';
import type { DeviceChannel } from '../channel.ts';
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
  readonly #places: Pick<EdgePlaces, 'open'>;
  readonly #content: Hex32;
  readonly #now: () => number;
  readonly #channels = new Map<Address, Promise<DeviceChannel>>();
  readonly #over = new AbortController();

  constructor(
    places: Pick<EdgePlaces, 'open'>,
    content: Hex32,
    devices: readonly Address[],
    now: () => number = () => performance.now(),
  ) {
    this.#places = places;
    this.#content = content;
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
  async channel({ device }: EdgeDevice): Promise<DeviceChannel> {
    this.#over.signal.throwIfAborted();
    const known = this.#channels.get(device);
    if (known !== undefined) return await known;
    const opening = this.#places.open(device, this.#content, this.#over.signal);
    this.#channels.set(device, opening);
    const forget = (): void => {
      if (this.#channels.get(device) === opening) this.#channels.delete(device);
    };
    opening.then((channel) => channel.ended.then(forget), forget);
    return await opening;
  }

  /** It failed: what comes next goes to others first. Answers why. */
  failed(one: EdgeDevice, error: unknown): Failure {
    const failure = asFailure(error);
    if (failure.code !== 'NOT_FOUND' && failure.code !== 'CANCELLED') one.restsUntil = this.#now() + REST_MS;
    return failure;
  }

  lied(one: EdgeDevice): void {
    one.liar = true;
    this.#channels.get(one.device)?.then(
      (channel) => channel.close(),
      () => undefined,
    );
  }

  close(): void {
    this.#over.abort();
    for (const opening of this.#channels.values()) {
      opening.then(
        (channel) => channel.close(),
        () => undefined,
      );
    }
  }
}
