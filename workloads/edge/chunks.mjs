import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Popularity } from './popularity.mjs';
import { Refusal, systemCode } from './refusal.mjs';

/** The longest that is kept in one piece: a manifest. */
export const MOST_BYTES = 8 * 1024 * 1024;
const HASH = /^[0-9a-f]{64}$/;
const READ_BYTES = 256 * 1024;

/**
 * A cache of chunks, each in a file named by its SHA-256:
 *
 *   incoming/N ── whole, hash right, on disk ──► chunks/ab/abcd… ── of least worth when room is needed, or rotten ──► gone
 *
 * A file has its name only when all of it is on disk, so whatever a kill or a power cut leaves is either whole or swept away. What is read is hashed on the
 * way out, and its last piece is only given when the hash is right: nobody gets all of something wrong.
 */
export class Chunks {
  #popularity = new Popularity();
  #budget = 0;
  #incoming = 0;
  #evicted = 0;
  #corrupt = 0;
  #noted = true;
  /** @type {Map<string, Promise<void>>} puts of one chunk at once are one put */
  #putting = new Map();

  /** @param {string} folder */
  constructor(folder) {
    this.folder = folder;
  }

  /** Reads names and sizes, and how popular they were; no content. */
  async load() {
    await rm(join(this.folder, 'incoming'), { recursive: true, force: true });
    for (const name of ['incoming', 'chunks']) await mkdir(join(this.folder, name), { recursive: true });
    const known = await this.#readNotes();
    /** @type {Map<string, number>} */
    const found = new Map();
    for (const prefix of await readdir(join(this.folder, 'chunks'))) {
      for (const hash of await readdir(join(this.folder, 'chunks', prefix))) {
        if (HASH.test(hash) && hash.startsWith(prefix)) found.set(hash, (await stat(this.#pathOf(hash))).size);
      }
    }
    // First those that came after the last note, as if nobody had ever asked for them.
    for (const [hash, bytes] of found) if (!known.has(hash)) this.#popularity.add(hash, bytes);
    for (const [hash, hits] of known) {
      const bytes = found.get(hash);
      if (bytes !== undefined) this.#popularity.add(hash, bytes, hits);
    }
    return this;
  }

  usage() {
    return {
      usedBytes: this.#popularity.bytes,
      budgetBytes: this.#budget,
      chunks: this.#popularity.size,
      evicted: this.#evicted,
      corrupt: this.#corrupt,
    };
  }

  /**
   * What is beyond it goes at once, least worth first.
   * @param {number} bytes
   */
  async limit(bytes) {
    this.#budget = bytes;
    await this.#makeRoom(0);
  }

  /**
   * @param {readonly string[]} hashes
   * @returns {readonly string[]} those that are not here
   */
  missing(hashes) {
    return hashes.filter((hash) => !this.#popularity.has(hash));
  }

  /**
   * When it resolves the chunk is on disk.
   * @param {string} hash
   * @param {number} bytes as announced
   * @param {AsyncIterable<Uint8Array>} body
   * @param {() => void} check throws when bytes of this name are not wanted
   * @returns {Promise<boolean>} false: it was there already
   */
  async put(hash, bytes, body, check = () => undefined) {
    if (!HASH.test(hash)) throw new Refusal(400, 'a chunk is named by its SHA-256');
    if (!(bytes > 0 && bytes <= MOST_BYTES)) throw new Refusal(413, `a chunk has 1 to ${MOST_BYTES} bytes`);
    if (bytes > this.#budget) throw new Refusal(507, 'there is no room for it at all');
    const under = this.#putting.get(hash);
    if (under !== undefined) {
      await under.catch(() => undefined);
      return await this.put(hash, bytes, body, check);
    }
    if (this.#popularity.has(hash)) return false;
    const putting = this.#write(hash, bytes, body, check);
    this.#putting.set(hash, putting);
    try {
      await putting;
    } finally {
      this.#putting.delete(hash);
    }
    return true;
  }

  /**
   * @param {string} hash
   * @param {number} bytes
   * @param {AsyncIterable<Uint8Array>} body
   * @param {() => void} check
   */
  async #write(hash, bytes, body, check) {
    const partial = join(this.folder, 'incoming', String(this.#incoming++));
    const file = await open(partial, 'wx', 0o600);
    try {
      await writeWhole(file, hash, bytes, body);
      check();
      await file.datasync();
      // Only now: junk of the right length throws nothing out.
      await this.#makeRoom(bytes);
      const path = this.#pathOf(hash);
      if ((await mkdir(dirname(path), { recursive: true })) !== undefined)
        await syncFolder(join(this.folder, 'chunks'));
      await rename(partial, path);
      await syncFolder(dirname(path));
    } catch (error) {
      await rm(partial, { force: true });
      if (['ENOSPC', 'EDQUOT'].includes(systemCode(error))) throw new Refusal(507, 'the drive is full');
      throw error;
    } finally {
      await file.close();
    }
    this.#popularity.add(hash, bytes);
    this.#noted = false;
  }

  /** @param {number} bytes that come in */
  async #makeRoom(bytes) {
    const out = this.#popularity.evict(this.#budget - bytes);
    this.#evicted += out.length;
    for (const hash of out) await rm(this.#pathOf(hash), { force: true });
  }

  /**
   * @param {string} hash
   * @returns {number} its length. Throws 404.
   */
  lengthOf(hash) {
    const bytes = this.#popularity.lengthOf(hash);
    if (bytes === undefined) throw new Refusal(404, 'there is no such chunk');
    return bytes;
  }

  /** @param {string} hash */
  wanted(hash) {
    this.#popularity.hit(hash);
    this.#noted = false;
  }

  /**
   * All of it. Breaks off before the last piece, and lets go of the chunk, when it is not what its name says.
   * @param {string} hash
   */
  async *read(hash) {
    const bytes = this.lengthOf(hash);
    const digest = createHash('sha256');
    const file = await open(this.#pathOf(hash), 'r').catch(async (error) => {
      await this.#rotten(hash);
      throw error;
    });
    try {
      for (let at = 0; at < bytes; ) {
        const into = Buffer.allocUnsafe(Math.min(READ_BYTES, bytes - at));
        const { bytesRead } = await file.read(into, 0, into.length, at);
        const piece = into.subarray(0, bytesRead);
        digest.update(piece);
        at += bytesRead;
        if (bytesRead === 0 || (at >= bytes && digest.digest('hex') !== hash)) {
          await this.#rotten(hash);
          throw new Error(`${hash} has rotted`);
        }
        yield piece;
      }
    } finally {
      await file.close();
    }
  }

  /** @param {string} hash */
  async #rotten(hash) {
    this.#corrupt += 1;
    await this.remove(hash);
  }

  /**
   * Gone already is success.
   * @param {string} hash
   */
  async remove(hash) {
    if (!this.#popularity.has(hash)) return;
    this.#popularity.remove(hash);
    await rm(this.#pathOf(hash), { force: true });
  }

  /** Writes down what was popular, for the next start. To lose it costs hits, and nothing else. */
  async note() {
    if (this.#noted) return;
    this.#noted = true;
    const partial = join(this.folder, 'popular.new');
    await writeFile(partial, this.#popularity.notes());
    await rename(partial, join(this.folder, 'popular'));
  }

  /** @returns {Promise<ReadonlyMap<string, number>>} hits, in the order of last use */
  async #readNotes() {
    const text = await readFile(join(this.folder, 'popular'), 'utf8').catch(() => '');
    const lines = text.split('\n').map((line) => /^([0-9a-f]{64}) (\d{1,15})$/.exec(line));
    return new Map(lines.flatMap((line) => (line === null ? [] : [[String(line[1]), Number(line[2])]])));
  }

  /** @param {string} hash */
  #pathOf(hash) {
    return join(this.folder, 'chunks', hash.slice(0, 2), hash);
  }
}

/**
 * @param {import('node:fs/promises').FileHandle} file
 * @param {string} hash
 * @param {number} bytes
 * @param {AsyncIterable<Uint8Array>} body
 */
async function writeWhole(file, hash, bytes, body) {
  const digest = createHash('sha256');
  let written = 0;
  for await (const part of body) {
    written += part.length;
    if (written > bytes) break;
    digest.update(part);
    await file.writev([part]);
  }
  if (written !== bytes) throw new Refusal(422, `${bytes} bytes were announced, and others came`);
  if (digest.digest('hex') !== hash) throw new Refusal(422, 'the bytes are not those of that name');
}

/**
 * A name is on disk when its folder is.
 * @param {string} path
 */
async function syncFolder(path) {
  const folder = await open(path, 'r');
  await folder.sync().finally(() => folder.close());
}
