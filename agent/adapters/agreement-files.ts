import { appendFile, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeAmount } from '../../core/money.ts';
import { type Hex32, hex32 } from '../../core/primitives.ts';
import { keptShard } from '../../core/wire-storage.ts';
import type { Log } from '../ports.ts';
import { type AgreementRecord, type AgreementShelf, agreementRecord } from '../storage/shelf.ts';
import { diskFailure, readIfThere, writeFileAtomic } from './files.ts';

const RECORD = /^([0-9a-f]{64})\.json$/;

/** Two files for each agreement: `ID.json`, replaced as a whole, and `ID.put`, a line for each shard that came. */
export function agreementFiles(folder: string, log: Log): AgreementShelf {
  const path = (id: Hex32, kind: 'json' | 'put'): string => join(folder, `${hex32.parse(id).slice(2)}.${kind}`);

  async function read(name: string): Promise<AgreementRecord | null> {
    try {
      return agreementRecord.parse(JSON.parse((await readIfThere(join(folder, name))) ?? ''));
    } catch {
      log('error', 'agreement-unread', { path: join(folder, name) });
      return null;
    }
  }

  return {
    async load() {
      await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => diskFailure(error, folder));
      const names = (await readdir(folder)).filter((name) => RECORD.test(name));
      const records = await Promise.all(names.map(read));
      return records.filter((record) => record !== null);
    },
    async save(record) {
      const { terms } = record;
      const text = JSON.stringify({ ...record, terms: { ...terms, price: encodeAmount(terms.price) } });
      await writeFileAtomic(path(terms.agreementId, 'json'), `${text}\n`);
      if (record.kept !== null) await rm(path(terms.agreementId, 'put'), { force: true });
    },
    async note(id, { hash, bytes }) {
      const line = `${JSON.stringify({ hash, bytes })}\n`;
      await appendFile(path(id, 'put'), line, { mode: 0o600 }).catch((error: unknown) => diskFailure(error, folder));
    },
    async noted(id) {
      const text = (await readIfThere(path(id, 'put'))) ?? '';
      return text.split('\n').flatMap((line) => {
        // The last line may have been cut off.
        const parsed = keptShard.safeParse(parsedLine(line));
        return parsed.success ? [parsed.data] : [];
      });
    },
    async drop(id) {
      // The record last: what is left of a removal that was interrupted is removed again.
      await rm(path(id, 'put'), { force: true });
      await rm(path(id, 'json'), { force: true });
    },
  };
}

function parsedLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
