import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Shard } from '../../../cli/vault/places.ts';
import { sha256 } from '../../../cli/vault/tokens.ts';
import { AUDIT, auditPositions } from '../../../core/audit.ts';

/** A shard that is open for reading, as the vault has it. */
export type OpenShard = {
  readonly read: (into: Uint8Array, at: number) => Promise<number>;
  readonly close: () => Promise<void>;
};
export type Open = (hash: string) => Promise<OpenShard>;

export const openIn =
  (folder: string): Open =>
  async (hash) => {
    const file = await open(join(folder, hash), 'r');
    return {
      read: async (into, at) => (await file.read(into, 0, into.length, at)).bytesRead,
      close: () => file.close(),
    };
  };

const AT_ONCE = 16;

/** Answers an audit of shards that lie one behind the other, each a whole number of blocks. */
export async function prove(shards: readonly Shard[], seed: Uint8Array, openShard: Open): Promise<Uint8Array> {
  const totalBytes = shards.reduce((sum, { bytes }) => sum + bytes, 0);
  const positions = auditPositions(seed, totalBytes, sha256);
  const answer = Buffer.alloc(seed.length + positions.length * AUDIT.blockBytes);
  answer.set(seed);
  const jobs: { readonly hash: string; readonly from: number; readonly first: number; readonly end: number }[] = [];
  let [start, first] = [0, 0];
  for (const { hash, bytes } of shards) {
    let end = first;
    while (end < positions.length && (positions[end] ?? 0) * AUDIT.blockBytes < start + bytes) end += 1;
    if (end > first) jobs.push({ hash, from: start, first, end });
    [start, first] = [start + bytes, end];
  }
  const work = async (): Promise<void> => {
    for (let job = jobs.pop(); job !== undefined; job = jobs.pop()) {
      const shard = await openShard(job.hash);
      for (let at = job.first; at < job.end; at++) {
        const into = answer.subarray(seed.length + at * AUDIT.blockBytes, seed.length + (at + 1) * AUDIT.blockBytes);
        await shard.read(into, (positions[at] ?? 0) * AUDIT.blockBytes - job.from);
      }
      await shard.close();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return sha256(answer);
}
