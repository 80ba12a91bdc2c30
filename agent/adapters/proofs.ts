import { mkdirSync, watch } from 'node:fs';
import { basename, join } from 'node:path';
import { proof } from '../../core/proof.ts';
import type { Log, ProofStore } from '../ports.ts';
import { readIfThere, writeFileAtomic } from './files.ts';

/** The last proof in one small file. One that cannot be read is as good as none: it is made again at the press of a button. */
export function proofFile(folder: string, log: Log): ProofStore {
  const path = join(folder, 'proof.json');
  return {
    async load() {
      try {
        const text = await readIfThere(path);
        return text === null ? null : proof.parse(JSON.parse(text));
      } catch {
        log('warn', 'proof-unread', { path });
        return null;
      }
    },
    onChange(listener) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      // The folder, not the file: replacing a file ends a watch on it.
      const watcher = watch(folder, (_event, name) => {
        if (name === null || name === basename(path)) listener();
      });
      watcher.on('error', (error) => log('warn', 'proof-unwatched', { detail: error.message }));
      return () => watcher.close();
    },
    save: (value) => writeFileAtomic(path, `${JSON.stringify(value)}\n`),
  };
}
