import { createHash, type Hash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { TOKENS_A_PLACE } from '../../core/audit.ts';
import { fail, isFailure } from '../../core/errors.ts';
import { toHex } from '../../core/keccak.ts';
import type { Hex32, UnixMs } from '../../core/primitives.ts';
import { needsRepair, placeBytesOf, type ShapeRule, shapeOf } from '../../core/stored-file.ts';
import { erasure } from './erasure.ts';
import { type Begun, Journal } from './journal.ts';
import type { FileKeys, OwnerKey } from './keys.ts';
import { ahead } from './pieces.ts';
import type { Place, Places } from './places.ts';
import { repair } from './repair.ts';
import { changed, type Stripe, seal, stripesOf } from './sealed.ts';
import { hashOf, TokenMaker } from './tokens.ts';

export type StoreOptions = {
  readonly path: string;
  readonly places: Places;
  readonly owner: OwnerKey;
  /** Folder, of this consumer alone, for what is needed to go on with an interrupted store. */
  readonly journals: string;
  readonly now: UnixMs;
  readonly rule?: ShapeRule;
  readonly tokensAPlace?: number;
  readonly progress?: (groups: number, of: number) => void;
  readonly signal?: AbortSignal | undefined;
};
export type Stored = {
  readonly fileId: Hex32;
  readonly name: string;
  readonly bytes: number;
  readonly healthy: number;
};

/** Size, time and place of a file: with another of them it is another one. */
async function look(path: string): Promise<{ readonly bytes: number; readonly version: string }> {
  const info = await stat(path, { bigint: true }).catch((error: unknown) =>
    fail('NOT_FOUND', `cannot read ${path}; check the name`, { path }, error),
  );
  if (!info.isFile()) fail('BAD_INPUT', `${path} is not a file`, { path });
  return { bytes: Number(info.size), version: `${info.size} ${info.mtimeNs} ${info.ino}` };
}

async function* hashing(source: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    hash.update(piece);
    yield piece;
  }
}

const READ_BYTES = 1024 * 1024;

/**
 * Stores a file: encrypts it, cuts it into groups with parity, gives the i-th shard of each to the i-th place, makes the audit
 * tokens on the way, and at last keeps the manifest. Memory does not grow with the file: about two groups, and the tokens.
 * Interrupted anywhere, it goes on when it is called again with the same file: what was acknowledged is not sent again.
 *
 * Throws NOT_FOUND and BAD_INPUT for the file; CONFLICT when it changes meanwhile, or is being stored by another process already;
 * REFUSED when too many places failed; and what `places` throws.
 */
export async function store(options: StoreOptions): Promise<Stored> {
  const { path, places, owner } = options;
  const { bytes, version } = await look(path);
  const fileId = toHex(randomBytes(32));
  const shape = shapeOf(bytes, options.rule);
  const fresh: Begun = { kind: 'begun', fileId, version, wrappedKey: owner.newFileKey(fileId), shape };
  const name = createHash('sha256').update(resolve(path)).digest('hex');
  const journal = await Journal.open(join(options.journals, `${name}.jsonl`), fresh, (before) =>
    places.drop(before.fileId),
  );
  try {
    const healthy = await new Storing(options, journal, bytes, version).run();
    await journal.discard();
    return { fileId: journal.begun.fileId, name: basename(path), bytes, healthy };
  } catch (error) {
    if (isFailure(error, 'CONFLICT') && error.info['changed'] === true) {
      // What is out there belongs to no content that the file ever had.
      await places.drop(journal.begun.fileId).catch(() => undefined);
      await journal.discard();
    }
    throw error;
  } finally {
    await journal.close();
  }
}

/** One run over a file. */
class Storing {
  readonly #options: StoreOptions;
  readonly #journal: Journal;
  readonly #keys: FileKeys;
  readonly #bytes: number;
  readonly #version: string;
  /** By place, by group. */
  readonly #hashes: Hex32[][] = [];
  readonly #makers = new Map<Place, TokenMaker>();

  constructor(options: StoreOptions, journal: Journal, bytes: number, version: string) {
    this.#options = options;
    this.#journal = journal;
    this.#bytes = bytes;
    this.#version = version;
    this.#keys = options.owner.fileKeys(journal.begun.fileId, journal.begun.wrappedKey);
  }

  /** Returns how many places are healthy. */
  async run(): Promise<number> {
    const { places, progress, path } = this.#options;
    const { fileId, shape } = this.#journal.begun;
    const offered = await places.offer({ fileId, ...shape, placeBytes: placeBytesOf(shape) });
    await this.#begin(offered);
    const digest = createHash('sha256');
    const plain = hashing(createReadStream(path, { highWaterMark: READ_BYTES }), digest);
    const code = await erasure(shape.k, shape.n);
    for await (const stripe of ahead(stripesOf(seal(plain, this.#bytes, this.#keys), shape, code, this.#keys))) {
      await this.#give(stripe);
      progress?.(stripe.group + 1, shape.groups);
    }
    if ((await look(path)).version !== this.#version) changed();
    await this.#seal();
    await this.#keep(toHex(digest.digest()));
    return await this.#heal();
  }

  async #begin(offered: readonly Place[]): Promise<void> {
    const { tokensAPlace = TOKENS_A_PLACE } = this.#options;
    const { shape } = this.#journal.begun;
    const devices = new Set(offered.map(({ device }) => device));
    const inOrder = offered.every(({ index }, at) => index === at);
    if (!inOrder || devices.size !== shape.n || offered.length !== shape.n) {
      fail('REFUSED', `the network offered other places than ${shape.n} on different devices`);
    }
    for (const place of offered) {
      this.#hashes.push([]);
      const seeds = this.#keys.seeds(place.agreementId, tokensAPlace);
      this.#makers.set(place, new TokenMaker(seeds, placeBytesOf(shape)));
      // Positions take a while to draw, and connections want to be answered.
      await turn();
    }
  }

  async #give({ group, shards }: Stripe): Promise<void> {
    const { places, signal } = this.#options;
    signal?.throwIfAborted();
    const hashes = shards.map(hashOf);
    if (!(await this.#journal.made(group, hashes))) changed();
    for (const [index, hash] of hashes.entries()) this.#hashes[index]?.push(hash);
    const acknowledged: Hex32[] = [];
    const giving = [...this.#makers].map(async ([place, maker]) => {
      const { index, agreementId } = place;
      const [hash, bytes] = [hashes[index], shards[index]];
      if (hash === undefined || bytes === undefined) return;
      if (!this.#journal.isPut(group, agreementId)) {
        try {
          await places.put(place, hash, bytes, signal);
          acknowledged.push(agreementId);
        } catch (error) {
          this.#leave(place, error);
          return;
        }
      }
      maker.add(bytes);
    });
    // Whatever fails, what was acknowledged is noted.
    const ends = await Promise.allSettled(giving);
    await this.#journal.put(group, acknowledged);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  /** Goes on without a place. */
  #leave(place: Place, error: unknown): void {
    const { signal } = this.#options;
    const { shape } = this.#journal.begun;
    signal?.throwIfAborted();
    this.#makers.delete(place);
    if (!needsRepair(shape, this.#makers.size)) return;
    const left = `only ${this.#makers.size} of ${shape.n} devices took their part`;
    fail('REFUSED', `${left}; do the same again later, and it goes on where it was`, {}, error);
  }

  async #seal(): Promise<void> {
    const { shape } = this.#journal.begun;
    for (const [place, maker] of this.#makers) {
      if (this.#journal.isSealed(place.agreementId)) continue;
      const shards = (this.#hashes[place.index] ?? []).map((hash, group) => ({
        hash,
        bytes: group === shape.groups - 1 ? shape.lastShardBytes : shape.shardBytes,
      }));
      await this.#options.places.seal(place, { shards, tokens: maker.finish() });
      await this.#journal.sealed(place.agreementId);
    }
  }

  async #keep(hash: Hex32): Promise<void> {
    const { owner, places, path, now } = this.#options;
    const { fileId, wrappedKey, shape } = this.#journal.begun;
    const shards = this.#hashes.map((hashes) =>
      Buffer.from(hashes.map((each) => each.slice(2)).join(''), 'hex').toString('base64'),
    );
    const what = { format: 1 as const, name: basename(path), bytes: this.#bytes, hash, storedAt: now };
    await places.keep(fileId, owner.sealManifest(fileId, { ...what, wrappedKey, shape, shards }));
  }

  /** Fills places anew that failed on the way. It is no failure when that cannot be done now: the file is safe, and the network repairs. */
  async #heal(): Promise<number> {
    const { places, tokensAPlace, signal } = this.#options;
    const { fileId, shape } = this.#journal.begun;
    if (this.#makers.size === shape.n) return shape.n;
    const hashAt = (index: number, group: number): Hex32 | null => this.#hashes[index]?.[group] ?? null;
    const healing = repair({ places, fileId, hashAt, signal, ...(tokensAPlace === undefined ? {} : { tokensAPlace }) });
    const replaced = await healing.then((healed) => healed.replaced).catch(() => 0);
    signal?.throwIfAborted();
    return this.#makers.size + replaced;
  }
}
