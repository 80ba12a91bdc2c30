import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Failure, fail } from '../../core/errors.ts';

const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'EACCES', 'EPERM']);

export const errnoOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : '';

/** A file error as a failure: DISK_FULL where the disk will not take it, otherwise as it is. */
export function diskFailure(error: unknown, what: string): never {
  if (error instanceof Failure) throw error;
  if (FULL.has(errnoOf(error))) return fail('DISK_FULL', `${what}: the disk is full or cannot be written`, {}, error);
  throw error;
}

/**
 * Replaces a file as a whole: whoever reads it sees the old or the new one, also after a power cut. Mode 0600, the folder
 * 0700. Throws DISK_FULL and leaves the old file.
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  const folder = dirname(path);
  const beside = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = await open(beside, 'wx', 0o600);
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await unlink(beside).catch(() => undefined);
    return diskFailure(error, `writing ${path}`);
  }
  // Windows cannot open a folder to flush it.
  const handle = await open(folder, 'r').catch(() => null);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

/** The file's text; null when there is none. */
export async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}
