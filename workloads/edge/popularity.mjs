/**
 * @typedef {{readonly bytes: number, hits: number, worth: number}} Entry `hits`: since it came; `worth`: see below
 */

/** What is made room beyond what is needed, so that not every new chunk has to look through all the others. */
const SPARE = 1 / 64;

/**
 * What is worth keeping, by frequency and recency: least frequently used with dynamic ageing (Arlitt and others, "Evaluating Content Management
 * Techniques for Web Proxy Caches", 1999). Worth is the number of hits plus the age of the cache, and the age is the worth of what was thrown
 * out last; so what was popular long ago is overtaken in the end by what is asked for now, without any clock.
 */
export class Popularity {
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  #bytes = 0;
  #age = 0;

  get bytes() {
    return this.#bytes;
  }
  get size() {
    return this.#entries.size;
  }

  /** @param {string} hash */
  has(hash) {
    return this.#entries.has(hash);
  }

  /**
   * @param {string} hash
   * @returns {number | undefined} its length in bytes
   */
  lengthOf(hash) {
    return this.#entries.get(hash)?.bytes;
  }

  /**
   * @param {string} hash
   * @param {number} bytes
   * @param {number} hits it had before, if that is known
   */
  add(hash, bytes, hits = 0) {
    this.remove(hash);
    this.#entries.set(hash, { bytes, hits, worth: this.#age + hits });
    this.#bytes += bytes;
  }

  /**
   * Somebody asked for it.
   * @param {string} hash
   */
  hit(hash) {
    const entry = this.#entries.get(hash);
    if (entry === undefined) return;
    entry.hits += 1;
    entry.worth = this.#age + entry.hits;
    // Of those that are worth the same the one that was asked for longest ago goes first: a map keeps the order.
    this.#entries.delete(hash);
    this.#entries.set(hash, entry);
  }

  /** @param {string} hash */
  remove(hash) {
    const entry = this.#entries.get(hash);
    if (entry === undefined) return;
    this.#entries.delete(hash);
    this.#bytes -= entry.bytes;
  }

  /**
   * What must go so that no more than `budget` bytes are left, least worth first; it is taken out. Nothing when they fit.
   * @param {number} budget bytes
   * @returns {readonly string[]}
   */
  evict(budget) {
    if (this.#bytes <= budget) return [];
    const goal = Math.max(0, budget - Math.floor(budget * SPARE));
    const out = [];
    // The sort is stable: equals stay in the order of their last use.
    for (const [hash, { worth }] of [...this.#entries].sort(([, a], [, b]) => a.worth - b.worth)) {
      if (this.#bytes <= goal) break;
      this.#age = Math.max(this.#age, worth);
      this.remove(hash);
      out.push(hash);
    }
    return out;
  }

  /** As text, in the order of last use: hash and hits. */
  notes() {
    return [...this.#entries].map(([hash, { hits }]) => `${hash} ${hits}\n`).join('');
  }
}
