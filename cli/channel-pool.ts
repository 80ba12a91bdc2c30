import type { Address } from '../core/primitives.ts';
import type { DeviceChannel } from './channel.ts';

/** Throws NOT_FOUND (it is not connected), COORDINATOR_AWAY, UNAUTHORISED, TOO_MANY and CANCELLED. */
export type Dial = (device: Address, signal: AbortSignal) => Promise<DeviceChannel>;

/** The one channel to each device: opened when it is needed, and again when it broke. */
export class ChannelPool {
  readonly #dial: Dial;
  readonly #channels = new Map<Address, Promise<DeviceChannel>>();
  readonly #over = new AbortController();

  constructor(dial: Dial) {
    this.#dial = dial;
  }

  /** Throws as the dial does. */
  async to(device: Address): Promise<DeviceChannel> {
    this.#over.signal.throwIfAborted();
    const known = this.#channels.get(device);
    if (known !== undefined) return await known;
    const opening = this.#dial(device, this.#over.signal);
    this.#channels.set(device, opening);
    const forget = (): void => {
      if (this.#channels.get(device) === opening) this.#channels.delete(device);
    };
    opening.then((channel) => channel.ended.then(forget), forget);
    return await opening;
  }

  drop(device: Address): void {
    closed(this.#channels.get(device));
  }

  close(): void {
    this.#over.abort();
    for (const opening of this.#channels.values()) closed(opening);
  }
}

function closed(opening: Promise<DeviceChannel> | undefined): void {
  opening?.then(
    (channel) => channel.close(),
    () => undefined,
  );
}
