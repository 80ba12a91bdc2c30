type Asked<T, R> = {
  readonly item: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
};

/**
 * Does in one go what is asked for while the one before is under way: a database that syncs each commit does hundreds of
 * commits a second and tens of thousands of rows. Nobody waits for a timer: alone, an item goes at once.
 */
export class Group<T, R> {
  readonly #run: (items: readonly T[]) => Promise<readonly R[]>;
  readonly #most: number;
  readonly #lanes: number;
  #waiting: Asked<T, R>[] = [];
  #running = 0;
  #idle: (() => void)[] = [];

  /**
   * `run` answers one result for each item, in order, and does all or nothing. `most`: of one go. `lanes`: goes at once.
   */
  constructor(
    run: (items: readonly T[]) => Promise<readonly R[]>,
    { most, lanes = 1 }: { readonly most: number; readonly lanes?: number },
  ) {
    this.#run = run;
    this.#most = most;
    this.#lanes = lanes;
  }

  /** Items that wait for their go. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Rejects with the item's own failure: where a go of many fails, each is tried alone. */
  add(item: T): Promise<R> {
    const result = new Promise<R>((resolve, reject) => this.#waiting.push({ item, resolve, reject }));
    this.#next();
    return result;
  }

  /** Resolves when nothing waits or runs. */
  async settled(): Promise<void> {
    while (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #next(): void {
    while (this.#running < this.#lanes && this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, this.#most);
      this.#waiting = this.#waiting.slice(this.#most);
      this.#running += 1;
      void this.#go(batch).finally(() => {
        this.#running -= 1;
        this.#next();
        if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
      });
    }
  }

  async #go(batch: readonly Asked<T, R>[]): Promise<void> {
    try {
      const results = await this.#run(batch.map(({ item }) => item));
      if (results.length !== batch.length) throw new Error(`${batch.length} items had ${results.length} results`);
      batch.forEach(({ resolve }, at) => {
        resolve(results[at] as R);
      });
    } catch (error) {
      const [only] = batch;
      if (batch.length === 1 && only !== undefined) return only.reject(error);
      for (const one of batch) await this.#go([one]);
    }
  }
}
