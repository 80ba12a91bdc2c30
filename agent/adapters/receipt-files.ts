import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Hex32 } from '../../core/primitives.ts';
import { type SignedReceipt, signedReceipt } from '../../core/receipts.ts';
import { encodeWire } from '../../core/wire.ts';
import type { ReceiptStore } from '../edge/receipts.ts';
import { objectIn } from '../frames.ts';
import { readIfThere, writeFileAtomic } from './files.ts';

type Named = { readonly session: Hex32; readonly content: Hex32 };

/** One file for each session and content: a receipt stands for all before it. */
export function receiptFiles(folder: string): ReceiptStore {
  const pathOf = ({ session, content }: Named): string => join(folder, `${session}-${content}.json`);
  return {
    keep: (receipt) => writeFileAtomic(pathOf(receipt.value), encodeWire(receipt)),
    async all() {
      const names = await readdir(folder).catch(() => []);
      const read = async (name: string): Promise<readonly SignedReceipt[]> => {
        if (!name.endsWith('.json')) return [];
        const found = signedReceipt.safeParse(objectIn((await readIfThere(join(folder, name))) ?? ''));
        return found.success ? [found.data] : [];
      };
      return (await Promise.all(names.sort().map(read))).flat();
    },
    drop: (named) => rm(pathOf(named), { force: true }),
  };
}
