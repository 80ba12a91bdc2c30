import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Known } from '../../core/primitives.ts';

const LISTED_FOR_MS = 5_000;

/**
 * Time without input on a machine without a desktop: since the newest read of any terminal, as `w` has it. Unknown where
 * there is no terminal that may be looked at; on other systems than Linux.
 */
export function ttyIdle(
  folders: readonly { readonly path: string; readonly name: RegExp }[] = [
    { path: '/dev/pts', name: /^\d+$/ },
    { path: '/dev', name: /^tty\d+$/ },
  ],
  now: () => number = Date.now,
): () => Promise<Known<number>> {
  let terminals: readonly string[] = [];
  let listedAt = Number.NEGATIVE_INFINITY;

  async function list(): Promise<void> {
    listedAt = now();
    const found = await Promise.all(
      folders.map(async ({ path, name }) =>
        (await readdir(path).catch((): string[] => []))
          .filter((entry) => name.test(entry))
          .map((entry) => join(path, entry)),
      ),
    );
    terminals = found.flat();
  }

  return async () => {
    if (process.platform !== 'linux') return 'unknown';
    if (now() - listedAt >= LISTED_FOR_MS) await list();
    const read = await Promise.all(
      terminals.map((path) =>
        stat(path)
          .then((entry) => entry.atimeMs)
          .catch(() => 0),
      ),
    );
    const newest = Math.max(0, ...read);
    return newest === 0 ? 'unknown' : Math.max(0, Math.round(now() - newest));
  };
}
