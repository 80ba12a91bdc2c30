import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FoundFile, Holding, Offer, Place, Places, Shard, Token } from '../../cli/vault/places.ts';
import { Failure } from '../../core/errors.ts';
import type { Hex32 } from '../../core/primitives.ts';
import { randomAddress, randomHex32 } from './random.ts';

export type Sealed = { readonly shards: readonly Shard[]; readonly tokens: readonly Token[] };
type Kept = { readonly offer: Offer; readonly places: Place[]; manifest: Uint8Array | null };

/** A network of folders, one a device; what the coordinator would know is in memory. */
export class FolderPlaces implements Places {
  readonly #root: string;
  readonly #files = new Map<Hex32, Kept>();
  readonly sealed = new Map<Hex32, Sealed>();
  /** Bytes that went to and came from devices. */
  upBytes = 0;
  downBytes = 0;
  puts = 0;
  /** Called before a put or a get; what it throws is what the device says. */
  before: (what: 'put' | 'get', place: Place) => void = () => undefined;

  constructor(root: string) {
    this.#root = root;
  }

  readonly folderOf = ({ device }: Place): string => join(this.#root, device);
  readonly placesOf = (fileId: Hex32): readonly Place[] => this.#files.get(fileId)?.places ?? [];
  get fileIds(): readonly Hex32[] {
    return [...this.#files.keys()];
  }

  async #newPlace(index: number): Promise<Place> {
    const place = { index, agreementId: randomHex32(), device: randomAddress() };
    await mkdir(this.folderOf(place), { recursive: true });
    return place;
  }

  /** The device is gone, with all that it held. */
  destroy = async (place: Place): Promise<void> => await rm(this.folderOf(place), { recursive: true, force: true });

  /** One bit of every shard that a place holds is another. */
  async corrupt(place: Place): Promise<void> {
    for (const name of await readdir(this.folderOf(place))) {
      const path = join(this.folderOf(place), name);
      const bytes = await readFile(path);
      const at = randomBytes(4).readUInt32BE() % bytes.length;
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      await writeFile(path, bytes);
    }
  }

  offer = async (file: Offer): Promise<readonly Place[]> => {
    const known = this.#files.get(file.fileId);
    if (known !== undefined) return known.places;
    const places = await Promise.all(Array.from({ length: file.n }, (_, index) => this.#newPlace(index)));
    this.#files.set(file.fileId, { offer: file, places, manifest: null });
    return places;
  };

  put = async (place: Place, hash: Hex32, bytes: Uint8Array): Promise<void> => {
    this.before('put', place);
    if (`0x${createHash('sha256').update(bytes).digest('hex')}` !== hash) throw new Failure('REFUSED', 'wrong hash');
    this.puts += 1;
    this.upBytes += bytes.length;
    await writeFile(join(this.folderOf(place), hash), bytes);
  };

  get = async (place: Place, hash: Hex32): Promise<Uint8Array> => {
    this.before('get', place);
    const bytes = await readFile(join(this.folderOf(place), hash));
    this.downBytes += bytes.length;
    return bytes;
  };

  seal = async (place: Place, what: Sealed): Promise<void> => {
    this.sealed.set(place.agreementId, what);
  };

  keep = async (fileId: Hex32, manifest: Uint8Array): Promise<void> => {
    const kept = this.#files.get(fileId);
    if (kept !== undefined) kept.manifest = manifest;
  };

  #holding = (place: Place): Holding => {
    const shards = this.sealed.get(place.agreementId)?.shards ?? null;
    const healthy = shards?.every(({ hash }) => existsSync(join(this.folderOf(place), hash))) ?? false;
    return { ...place, shards, healthy };
  };

  find = async (fileId: Hex32): Promise<FoundFile | null> => {
    const kept = this.#files.get(fileId);
    if (kept === undefined) return null;
    const { fileId: _, placeBytes: __, ...shape } = kept.offer;
    return { fileId, shape, manifest: kept.manifest, holdings: kept.places.map(this.#holding) };
  };

  list: Places['list'] = async () =>
    [...this.#files].flatMap(([fileId, { offer, places, manifest }]) => {
      if (manifest === null) return [];
      const healthy = places.map(this.#holding).filter((holding) => holding.healthy).length;
      return [{ fileId, manifest, bytes: offer.placeBytes * offer.n, availability: { healthy, of: offer.n } }];
    });

  drop = async (fileId: Hex32): Promise<void> => {
    const kept = this.#files.get(fileId);
    this.#files.delete(fileId);
    for (const place of kept?.places ?? []) await this.destroy(place);
  };

  replace = async (fileId: Hex32, lost: Place): Promise<Place> => {
    const kept = this.#files.get(fileId);
    if (kept === undefined) throw new Failure('NOT_FOUND', 'there is no such file');
    const place = await this.#newPlace(lost.index);
    kept.places[lost.index] = place;
    return place;
  };

  /** Bytes on all devices. */
  async keptBytes(): Promise<number> {
    let sum = 0;
    for (const place of [...this.#files.values()].flatMap(({ places }) => places)) {
      for (const name of await readdir(this.folderOf(place)).catch(() => [])) {
        sum += (await stat(join(this.folderOf(place), name))).size;
      }
    }
    return sum;
  }
}
