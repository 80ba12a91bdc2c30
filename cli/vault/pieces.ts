/** Bytes that come in pieces of any size, taken in the sizes that are asked for. */
export class Pieces {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Fills `into` from its start; returns how many bytes there were. Fewer than there is room for: that was the end. */
  async fill(into: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < into.length) {
      if (this.#rest.length === 0) {
        const { done, value } = await this.#source.next();
        if (done === true) break;
        this.#rest = value;
      }
      const piece = this.#rest.subarray(0, into.length - filled);
      into.set(piece, filled);
      this.#rest = this.#rest.subarray(piece.length);
      filled += piece.length;
    }
    return filled;
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }
}

/** The same, with the next one being made while one is used; no further ahead. */
export async function* ahead<T>(source: AsyncGenerator<T, void, void>): AsyncGenerator<T, void, void> {
  let next = source.next();
  try {
    for (;;) {
      const { done, value } = await next;
      if (done === true) return;
      next = source.next();
      // It is awaited in the next turn, if there is one.
      next.catch(() => undefined);
      yield value;
    }
  } finally {
    await next.catch(() => undefined);
    await source.return();
  }
}
