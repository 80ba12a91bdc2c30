import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fail } from '../../core/errors.ts';
import { toHex } from '../../core/keccak.ts';
import type { FileManifest } from '../../core/stored-file.ts';
import { reserve } from '../client.ts';
import { erasure } from './erasure.ts';
import { gather, type HashAt } from './gather.ts';
import type { OwnerKey } from './keys.ts';
import { ahead } from './pieces.ts';
import type { FoundFile, Places } from './places.ts';
import { unseal, unstriped } from './sealed.ts';

export type RestoreOptions = {
  readonly places: Places;
  readonly owner: OwnerKey;
  readonly file: FoundFile;
  readonly output: string;
  readonly overwrite?: boolean;
  readonly progress?: (groups: number, of: number) => void;
  readonly signal?: AbortSignal | undefined;
};

const HASH_BYTES = 32;

/** The hashes that the owner noted: what the network says of shards is not asked. */
export function hashesOf({ shards }: FileManifest): HashAt {
  const hashes = shards.map((all) => Buffer.from(all, 'base64'));
  return (index, group) => {
    const hash = hashes[index]?.subarray(group * HASH_BYTES, (group + 1) * HASH_BYTES);
    return hash?.length === HASH_BYTES ? toHex(hash) : null;
  };
}

/**
 * Restores a file from any k of its places and returns its manifest. Every shard, every segment and the whole are verified; under its
 * name there is the whole file or none. Throws NOT_FOUND when too little of it is left, VAULT_UNREADABLE with another key or
 * when it is not what was stored, CONFLICT when `output` exists and is not to be replaced.
 */
export async function restore(options: RestoreOptions): Promise<FileManifest> {
  const { places, owner, file, output, overwrite = false, progress, signal } = options;
  const { fileId, holdings } = file;
  if (file.manifest === null) return fail('NOT_FOUND', 'the file was never stored to its end', { fileId });
  const manifest = owner.openManifest(fileId, file.manifest);
  const { shape, bytes } = manifest;
  const keys = owner.fileKeys(fileId, manifest.wrappedKey);
  const stripes = gather({
    ...{ places, shape, signal, hashAt: hashesOf(manifest), code: await erasure(shape.k, shape.n) },
    // One that is said to be away is asked, too, after all others.
    sources: holdings.filter(({ healthy }) => healthy).concat(holdings.filter(({ healthy }) => !healthy)),
  });
  async function* counted() {
    for await (const stripe of ahead(stripes)) {
      progress?.(stripe.group + 1, shape.groups);
      yield stripe;
    }
  }
  await mkdir(dirname(output), { recursive: true });
  const partial = `${output}.part`;
  const digest = createHash('sha256');
  let reserved = false;
  const target = await open(partial, 'w', 0o600);
  try {
    for await (const piece of unseal(unstriped(counted(), shape, bytes), bytes, keys)) {
      digest.update(piece);
      await target.writeFile(piece);
    }
    if (toHex(digest.digest()) !== manifest.hash) fail('VAULT_UNREADABLE', 'the file is not what was stored');
    await target.sync();
    await target.close();
    // Whoever makes the file in the meantime keeps it.
    if (!overwrite) reserved = await reserve(output);
    await rename(partial, output);
    reserved = false;
  } finally {
    await target.close().catch(() => undefined);
    await rm(partial, { force: true });
    if (reserved) await rm(output, { force: true });
  }
  return manifest;
}
