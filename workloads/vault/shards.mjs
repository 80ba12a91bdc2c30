import { createHash } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Refusal, systemCode } from './refusal.mjs';

export const MOST_BYTES = 16 * 1024 * 1024;
const HASH = /^[0-9a-f]{64}$/;
const READ_BYTES = 256 * 1024;

/**
 * Shards in a folder, each in a file named by its SHA-256:
 *
 *   incoming/N ── whole, hash right, fdatasync ──► shards/ab/abcd… ── scrub finds another hash ──► corrupt/abcd…
 *
 * A file has its name only when all of it is on disk, and the name is on disk before a put is answered: what was acknowledged survives
 * a kill and a power cut, and nothing torn is ever served.
 */
export class Shards {
  #folder;
  /** @type {Map<string, number>} bytes by hash */
  #bytes = new Map();
  #used = 0;
  #reserved = 0;
  #quota = 0;
  #corrupt = 0;
  #incoming = 0;
  /** @type {Map<string, Promise<void>>} puts of one shard at once are one put */
  #putting = new Map();

  /** @param {string} folder */
  constructor(folder) {
    this.#folder = folder;
  }

  /** Reads names and sizes, no content; what was being put when it ended is gone. */
  async load() {
    await rm(join(this.#folder, 'incoming'), { recursive: true, force: true });
    for (const name of ['incoming', 'shards', 'corrupt']) await mkdir(join(this.#folder, name), { recursive: true });
    for (const prefix of await readdir(join(this.#folder, 'shards'))) {
      for (const hash of await readdir(join(this.#folder, 'shards', prefix))) {
        if (!HASH.test(hash) || !hash.startsWith(prefix)) continue;
        const { size } = await stat(this.#pathOf(hash));
        this.#bytes.set(hash, size);
        this.#used += size;
      }
    }
    this.#corrupt = (await readdir(join(this.#folder, 'corrupt'))).length;
    return this;
  }

  usage() {
    return { usedBytes: this.#used, quotaBytes: this.#quota, shards: this.#bytes.size, corrupt: this.#corrupt };
  }

  /** Below what is used nothing is thrown away; nothing more comes in. @param {number} bytes */
  limit(bytes) {
    this.#quota = bytes;
  }

  /** @param {string} after @param {number} most */
  list(after, most) {
    const names = [...this.#bytes.keys()].filter((hash) => hash > after).sort();
    return names.slice(0, most).map((hash) => ({ hash, bytes: this.#bytes.get(hash) ?? 0 }));
  }

  /** @param {string} hash @returns {number | null} */
  sizeOf(hash) {
    return this.#bytes.get(hash) ?? null;
  }

  /**
   * @param {string} hash @param {number} bytes as announced @param {AsyncIterable<Uint8Array>} body
   * @returns {Promise<boolean>} false: it was there already
   */
  async put(hash, bytes, body) {
    if (!HASH.test(hash)) throw new Refusal(400, 'a shard is named by its SHA-256');
    if (!(bytes > 0 && bytes <= MOST_BYTES)) throw new Refusal(413, `a shard has 1 to ${MOST_BYTES} bytes`);
    const known = this.#bytes.get(hash);
    if (known !== undefined) return false;
    const under = this.#putting.get(hash);
    if (under !== undefined) {
      await under.catch(() => undefined);
      return await this.put(hash, bytes, body);
    }
    if (this.#used + this.#reserved + bytes > this.#quota) throw new Refusal(507, 'no room is left');
    const putting = this.#write(hash, bytes, body);
    this.#putting.set(hash, putting);
    this.#reserved += bytes;
    try {
      await putting;
    } finally {
      this.#reserved -= bytes;
      this.#putting.delete(hash);
    }
    return true;
  }

  /**
   * @param {string} hash
   * @param {number} bytes
   * @param {AsyncIterable<Uint8Array>} body
   */
  async #write(hash, bytes, body) {
    const partial = join(this.#folder, 'incoming', String(this.#incoming++));
    const file = await open(partial, 'wx', 0o600);
    const digest = createHash('sha256');
    let written = 0;
    try {
      for await (const part of body) {
        digest.update(part);
        written += (await file.writev([part])).bytesWritten;
        if (written > bytes) break;
      }
      const right = written === bytes && digest.digest('hex') === hash;
      if (!right) throw new Refusal(422, `these are not the ${bytes} bytes of that name`);
      await file.datasync();
      await file.close();
      const folder = join(this.#folder, 'shards', hash.slice(0, 2));
      if ((await mkdir(folder, { recursive: true })) !== undefined) await syncFolder(join(this.#folder, 'shards'));
      await rename(partial, this.#pathOf(hash));
      await syncFolder(folder);
    } catch (error) {
      await file.close().catch(() => undefined);
      await rm(partial, { force: true });
      if (['ENOSPC', 'EDQUOT'].includes(systemCode(error))) throw new Refusal(507, 'the drive is full');
      throw error;
    }
    this.#bytes.set(hash, bytes);
    this.#used += bytes;
  }

  /** @param {string} hash Rejects when it is not there. */
  async open(hash) {
    if (!this.#bytes.has(hash)) throw new Refusal(404, 'there is no such shard');
    const file = await open(this.#pathOf(hash), 'r');
    return {
      /** @param {Uint8Array} into @param {number} at */
      read: async (into, at) => (await file.read(into, 0, into.length, at)).bytesRead,
      close: () => file.close(),
    };
  }

  /** From `start` to before `end`. @param {string} hash @param {number} start @param {number} end */
  async *read(hash, start, end) {
    const file = await this.open(hash);
    try {
      for (let at = start; at < end; ) {
        const into = Buffer.allocUnsafe(Math.min(READ_BYTES, end - at));
        const read = await file.read(into, at);
        if (read === 0) throw new Error('the file is shorter than it was');
        at += read;
        yield into.subarray(0, read);
      }
    } finally {
      await file.close();
    }
  }

  /** Gone already is success. @param {string} hash */
  async remove(hash) {
    const bytes = this.#bytes.get(hash);
    if (bytes === undefined) return;
    this.#bytes.delete(hash);
    this.#used -= bytes;
    await unlink(this.#pathOf(hash)).catch(absent);
    await syncFolder(join(this.#folder, 'shards', hash.slice(0, 2)));
  }

  /** Whether a shard still is what its name says; one that is not is moved aside. @param {string} hash @param {(bytes: number) => Promise<void>} pace */
  async verify(hash, pace) {
    const bytes = this.#bytes.get(hash);
    if (bytes === undefined) return true;
    const digest = createHash('sha256');
    let good = false;
    try {
      for await (const part of this.read(hash, 0, bytes)) {
        digest.update(part);
        await pace(part.length);
      }
      good = digest.digest('hex') === hash;
    } catch {
      // It cannot be read: that is as good as lost.
    }
    if (good || this.#bytes.get(hash) === undefined) return true;
    this.#bytes.delete(hash);
    this.#used -= bytes;
    this.#corrupt += 1;
    await rename(this.#pathOf(hash), join(this.#folder, 'corrupt', hash)).catch(absent);
    return false;
  }

  /** @param {string} hash */
  #pathOf(hash) {
    return join(this.#folder, 'shards', hash.slice(0, 2), hash);
  }
}

/** @param {unknown} error */
function absent(error) {
  if (systemCode(error) !== 'ENOENT') throw error;
}

/**
 * A name is on disk when its folder is.
 * @param {string} path
 */
async function syncFolder(path) {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
