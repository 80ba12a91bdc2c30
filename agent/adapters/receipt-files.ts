import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Hex32 } from '../../core/primitives.ts';
import { type SignedReceipt, signedReceipt } from '../../core/receipts.ts';
import { encodeWire } from '../../core/wire.ts';
import type { ReceiptStore } from '../edge/receipts.ts';
import { objectIn } from '../frames.ts';
import { errnoOf, readIfThere, writeFileAtomic } from './files.ts';

type Named = { readonly session: Hex32; readonly content: Hex32 };

async function readReceipt(path: string): Promise<SignedReceipt | null> {
  const found = signedReceipt.safeParse(objectIn((await readIfThere(path)) ?? ''));
  return found.success ? found.data : null;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** One file for each session and content: a receipt stands for all before it. */
export function receiptFiles(folder: string): ReceiptStore {
  const pathOf = ({ session, content }: Named): string => join(folder, `${session}-${content}.json`);
  /** What is being done to each file: what is looked at before it is removed must be what is removed. */
  const turns = new Map<string, Promise<void>>();

  function inTurn(path: string, work: () => Promise<void>): Promise<void> {
    const turn = (turns.get(path) ?? Promise.resolve()).then(work, work);
    turns.set(path, turn);
    const over = (): void => {
      if (turns.get(path) === turn) turns.delete(path);
    };
    turn.then(over, over);
    return turn;
  }

  return {
    keep: (receipt) => {
      const path = pathOf(receipt.value);
      return inTurn(path, () => writeFileAtomic(path, encodeWire(receipt)));
    },
    async all() {
      const names = (await namesIn(folder)).filter((name) => name.endsWith('.json'));
      const found: SignedReceipt[] = [];
      // Some at a time: there may be thousands, and a process has only so many files.
      for (let at = 0; at < names.length; at += 64) {
        const some = names.slice(at, at + 64).map((name) => readReceipt(join(folder, name)));
        found.push(...(await Promise.all(some)).flatMap((one) => one ?? []));
      }
      return found;
    },
    drop: (settled) => {
      const path = pathOf(settled);
      return inTurn(path, async () => {
        const there = await readReceipt(path);
        if (there === null || there.value.bytes <= settled.bytes) await rm(path, { force: true });
      });
    },
  };
}
