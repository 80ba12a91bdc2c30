import { basename } from 'node:path';
import { SingleBar } from 'cli-progress';
import { fail } from '../../core/errors.ts';
import type { UnixMs } from '../../core/primitives.ts';
import { type FileManifest, needsRepair } from '../../core/stored-file.ts';
import { chooseFile, type ListedFile, listFiles } from './files.ts';
import type { OwnerKey } from './keys.ts';
import type { Places } from './places.ts';
import { type Repaired, repair } from './repair.ts';
import { restore } from './restore.ts';
import { type Stored, store } from './store.ts';

/** What every command on stored files needs. */
export type VaultUse = {
  readonly places: Places;
  readonly owner: OwnerKey;
  readonly say: (line: string) => void;
  readonly progressStream: NodeJS.WritableStream;
  readonly signal?: AbortSignal;
};

async function withBar<T>(
  { progressStream: stream }: VaultUse,
  work: (progress: (groups: number, of: number) => void) => Promise<T>,
): Promise<T> {
  const bar = new SingleBar({
    format: '{bar} {percentage} % · {duration_formatted}',
    barsize: 30,
    hideCursor: true,
    stream,
  });
  bar.start(1, 0);
  try {
    return await work((groups, of) => bar.update(groups / of));
  } finally {
    bar.stop();
  }
}

/** `journals` is a folder of this consumer alone. Throws as `store` does. */
export async function storeFile(use: VaultUse, path: string, journals: string, now: UnixMs): Promise<Stored> {
  const { places, owner, signal } = use;
  const stored = await withBar(use, (progress) => store({ path, places, owner, journals, now, progress, signal }));
  use.say(`${stored.name}: ${stored.bytes} bytes are stored on ${stored.healthy} devices, as ${stored.fileId}`);
  return stored;
}

/** By name or id; into the working folder under its own name when `output` is null. Throws as `restore` does. */
export async function restoreFile(
  use: VaultUse,
  wanted: string,
  output: string | null,
  overwrite = false,
): Promise<FileManifest> {
  const { places, owner, signal } = use;
  const { fileId, manifest } = await chooseFile(places, owner, wanted);
  const file = await places.find(fileId);
  if (file === null) return fail('NOT_FOUND', `${wanted} is not stored any more`);
  // A name from elsewhere leads nowhere else.
  const into = output ?? basename(manifest?.name ?? fileId);
  const restored = await withBar(use, (progress) =>
    restore({ places, owner, file, output: into, overwrite, progress, signal }),
  );
  use.say(`${into}: ${restored.bytes} bytes, as they were stored`);
  return restored;
}

export async function listStored({ places, owner, say }: VaultUse): Promise<readonly ListedFile[]> {
  const files = await listFiles(places, owner);
  if (files.length === 0) say('nothing is stored');
  return files;
}

/** Its devices free its shards, and nobody is paid for them any more. */
export async function removeFile({ places, owner, say }: VaultUse, wanted: string): Promise<void> {
  const { fileId } = await chooseFile(places, owner, wanted);
  await places.drop(fileId);
  say(`${wanted} is not stored any more`);
}

/** null: enough of it is left. Whoever does this needs no key of the file's owner. */
export async function repairFile(
  { places, signal }: Pick<VaultUse, 'places' | 'signal'>,
  fileId: ListedFile['fileId'],
): Promise<Repaired | null> {
  const found = await places.find(fileId);
  const healthy = found?.holdings.filter((holding) => holding.healthy).length ?? 0;
  if (found !== null && !needsRepair(found.shape, healthy)) return null;
  return await repair({ places, fileId, signal });
}
