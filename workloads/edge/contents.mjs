import { Refusal } from './refusal.mjs';

/** @typedef {{readonly publisher: string, readonly chunks: ReadonlySet<string>}} Content */

/** Hashes that are kept in memory, of all contents together. */
const MOST_HASHES = 300_000;
const HASH = /^0x[0-9a-f]{64}$/;

/**
 * What a manifest says of who published it, and of which chunks (core/content.ts); whoever reads the content checks the rest of it.
 * @param {Uint8Array} bytes
 * @returns {Content}
 */
function parse(bytes) {
  try {
    const { publisher, files } = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    /** @type {readonly unknown[]} */
    const hashes = files.flatMap((/** @type {{chunks: unknown[]}} */ { chunks }) => chunks);
    const good = typeof publisher === 'string' && hashes.every((hash) => typeof hash === 'string' && HASH.test(hash));
    if (good) return { publisher, chunks: new Set(hashes.map((hash) => String(hash).slice(2))) };
  } catch {
    // Whatever it is, it lists nothing.
  }
  throw new Refusal(422, 'that is no list of published files');
}

/** The contents that were asked for last, as far as it is known who published them and which chunks are theirs. */
export class Contents {
  /** @type {Map<string, Content>} */
  #known = new Map();
  #hashes = 0;

  /** @param {(name: string) => Promise<Uint8Array>} read the manifest; rejects when it is not here */
  constructor(read) {
    this.read = read;
  }

  /**
   * @param {string} name
   * @param {Uint8Array} manifest which has that name
   * @param {string} publisher
   */
  require(name, manifest, publisher) {
    const content = parse(manifest);
    if (content.publisher !== publisher) throw new Refusal(403, 'that is not the publisher of this content');
    this.#keep(name, content);
  }

  /**
   * Throws 403 when somebody else published it, 404 when its manifest is not here.
   * @param {string} name
   * @param {string} publisher
   * @returns {Promise<Content>}
   */
  async of(name, publisher) {
    const content = this.#known.get(name) ?? parse(await this.read(name));
    if (content.publisher !== publisher) throw new Refusal(403, 'that is not the publisher of this content');
    this.#keep(name, content);
    return content;
  }

  /**
   * @param {string} name
   * @param {Content} content
   */
  #keep(name, content) {
    this.#hashes += content.chunks.size - (this.#known.get(name)?.chunks.size ?? 0);
    this.#known.delete(name);
    this.#known.set(name, content);
    for (const [oldest, { chunks }] of this.#known) {
      if (this.#hashes <= MOST_HASHES || oldest === name) return;
      this.#known.delete(oldest);
      this.#hashes -= chunks.size;
    }
  }
}
