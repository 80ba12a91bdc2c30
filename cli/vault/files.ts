import { fail, isFailure } from '../../core/errors.ts';
import { type Hex32, hex32 } from '../../core/primitives.ts';
import type { FileManifest } from '../../core/stored-file.ts';
import type { OwnerKey } from './keys.ts';
import type { Availability, KeptFile, Places } from './places.ts';

/** `manifest` is null when it cannot be read with this key. `keptBytes`: what all places hold together. */
export type ListedFile = {
  readonly fileId: Hex32;
  readonly manifest: FileManifest | null;
  readonly keptBytes: number;
  readonly availability: Availability;
};

function manifestOf(owner: OwnerKey, { fileId, manifest }: KeptFile): FileManifest | null {
  try {
    return owner.openManifest(fileId, manifest);
  } catch (error) {
    if (isFailure(error, 'VAULT_UNREADABLE')) return null;
    throw error;
  }
}

/** By name, the newest of a name first; those that cannot be read come last. */
export async function listFiles(places: Places, owner: OwnerKey): Promise<readonly ListedFile[]> {
  const kept = await places.list();
  const files = kept.map((file) => ({
    ...{ fileId: file.fileId, manifest: manifestOf(owner, file) },
    ...{ keptBytes: file.bytes, availability: file.availability },
  }));
  return files.sort(({ manifest: a }, { manifest: b }) => {
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    return a.name === b.name ? b.storedAt - a.storedAt : a.name < b.name ? -1 : 1;
  });
}

/** The one file of that name, or of that id. Throws NOT_FOUND, and BAD_INPUT when a name belongs to several. */
export async function chooseFile(places: Places, owner: OwnerKey, wanted: string): Promise<ListedFile> {
  const id = hex32.safeParse(wanted).data;
  const files = (await listFiles(places, owner)).filter(({ fileId, manifest }) =>
    id === undefined ? manifest?.name === wanted : fileId === id,
  );
  const [file, ...more] = files;
  if (file === undefined) return fail('NOT_FOUND', `nothing called ${wanted} is stored; see: idlemesh ls`);
  if (more.length === 0) return file;
  const ids = files.map(({ fileId }) => fileId).join('\n');
  return fail('BAD_INPUT', `${files.length} files are called ${wanted}; name one by its id:\n${ids}`);
}
