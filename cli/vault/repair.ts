import { randomBytes } from 'node:crypto';
import { AUDIT, TOKENS_A_PLACE } from '../../core/audit.ts';
import { fail } from '../../core/errors.ts';
import type { Hex32 } from '../../core/primitives.ts';
import { placeBytesOf } from '../../core/stored-file.ts';
import { erasure } from './erasure.ts';
import { gather, type HashAt } from './gather.ts';
import { ahead } from './pieces.ts';
import type { FoundFile, Place, Places, Shard } from './places.ts';
import { hashOf, TokenMaker } from './tokens.ts';

export type RepairOptions = {
  readonly places: Places;
  readonly fileId: Hex32;
  /** Of places that were never sealed; only the owner knows them. */
  readonly hashAt?: HashAt;
  readonly tokensAPlace?: number;
  readonly progress?: (groups: number, of: number) => void;
  readonly signal?: AbortSignal | undefined;
};
/** `failed`: new places that did not take their part either. */
export type Repaired = {
  readonly replaced: number;
  readonly failed: number;
  readonly downBytes: number;
  readonly upBytes: number;
};

/** As the network knows them: what a place was sealed with. */
const sealedHashes =
  ({ holdings }: FoundFile): HashAt =>
  (index, group) =>
    holdings.find((holding) => holding.index === index)?.shards?.[group]?.hash ?? null;

/**
 * Makes the shards of places that are lost anew, on other devices, from those of the others. It needs no key: all it sees is
 * ciphertext. Throws NOT_FOUND when there is no such file, or when too little of it is left.
 */
export async function repair(options: RepairOptions): Promise<Repaired> {
  const { places, fileId, tokensAPlace = TOKENS_A_PLACE, progress, signal } = options;
  const found = await places.find(fileId);
  if (found === null) return fail('NOT_FOUND', 'there is no such file', { fileId });
  const { shape, holdings } = found;
  const known = sealedHashes(found);
  const hashAt: HashAt = (index, group) => known(index, group) ?? options.hashAt?.(index, group) ?? null;
  const newcomers: Newcomer[] = [];
  for (const lost of holdings.filter(({ healthy }) => !healthy)) {
    const seeds = Array.from({ length: tokensAPlace }, () => randomBytes(AUDIT.seedBytes));
    newcomers.push(new Newcomer(await places.replace(fileId, lost), new TokenMaker(seeds, placeBytesOf(shape))));
  }
  let downBytes = 0;
  if (newcomers.length > 0) {
    const stripes = gather({
      ...{ places, shape, hashAt, signal, code: await erasure(shape.k, shape.n) },
      sources: holdings.filter(({ healthy, shards }) => healthy && shards !== null),
      arrived: (bytes) => {
        downBytes += bytes;
      },
    });
    for await (const { group, shards } of ahead(stripes)) {
      const giving = newcomers.map(async (newcomer) => {
        const { index } = newcomer.place;
        const bytes = shards[index] ?? fail('INTERNAL', 'the network offered a place that there is not', { index });
        const hash = hashOf(bytes);
        // What was computed from good shards is good, unless something here is broken.
        if ((hashAt(index, group) ?? hash) !== hash) fail('INTERNAL', 'a shard became another one', { index, group });
        await newcomer.take(places, hash, bytes, signal);
      });
      await Promise.all(giving);
      signal?.throwIfAborted();
      progress?.(group + 1, shape.groups);
    }
  }
  for (const newcomer of newcomers) await newcomer.finish(places);
  const failed = newcomers.filter((newcomer) => newcomer.failed).length;
  const upBytes = newcomers.reduce((sum, newcomer) => sum + newcomer.bytes, 0);
  return { replaced: newcomers.length - failed, failed, downBytes, upBytes };
}

/** A place that is being filled. One that fails is left out, and the others go on. */
class Newcomer {
  readonly place: Place;
  readonly #maker: TokenMaker;
  readonly #shards: Shard[] = [];
  failed = false;
  bytes = 0;

  constructor(place: Place, maker: TokenMaker) {
    this.place = place;
    this.#maker = maker;
  }

  async take(places: Places, hash: Hex32, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    if (this.failed) return;
    try {
      await places.put(this.place, hash, bytes, signal);
    } catch {
      this.failed = true;
      return;
    }
    this.bytes += bytes.length;
    this.#maker.add(bytes);
    this.#shards.push({ hash, bytes: bytes.length });
  }

  async finish(places: Places): Promise<void> {
    if (!this.failed) await places.seal(this.place, { shards: this.#shards, tokens: this.#maker.finish() });
  }
}
