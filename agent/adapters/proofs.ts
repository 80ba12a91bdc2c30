import { join } from 'node:path';
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
    save: (value) => writeFileAtomic(path, `${JSON.stringify(value)}\n`),
  };
}
