import { type FileHandle, mkdir, open, rm, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { readIfThere } from '../../agent/adapters/files.ts';
import { takeLock } from '../../agent/adapters/lock.ts';
import { type Hex32, hex32 } from '../../core/primitives.ts';
import { fileShape } from '../../core/stored-file.ts';

const begun = z.strictObject({
  kind: z.literal('begun'),
  fileId: hex32,
  /** Tells one content of a path from another, as far as its file system can. */
  version: z.string(),
  wrappedKey: z.string(),
  shape: fileShape,
});
export type Begun = z.output<typeof begun>;
const line = z.discriminatedUnion('kind', [
  begun,
  z.strictObject({ kind: z.literal('made'), group: z.number(), hashes: z.array(hex32) }),
  z.strictObject({ kind: z.literal('put'), group: z.number(), agreements: z.array(hex32) }),
  z.strictObject({ kind: z.literal('sealed'), agreementId: hex32 }),
]);
type Line = z.output<typeof line>;

const noteOf = (group: number, agreementId: Hex32): string => `${group} ${agreementId}`;

/** Lines up to the first that is not whole: it was being written when the power went. */
function readLines(text: string): { readonly lines: readonly Line[]; readonly bytes: number } {
  const lines: Line[] = [];
  let bytes = 0;
  for (const [row] of text.matchAll(/[^\n]*\n/g)) {
    try {
      lines.push(line.parse(JSON.parse(row)));
    } catch {
      break;
    }
    bytes += Buffer.byteLength(row);
  }
  return { lines, bytes };
}

/**
 * What was done of storing one file, so that it can go on where it was. It is held by one process at a time.
 *
 * A group's hashes are durable here before any of it leaves the machine. A file that changed although it looks the same would
 * otherwise be encrypted twice under one nonce, and two such texts give away both.
 */
export class Journal {
  readonly begun: Begun;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #release: () => void;
  readonly #made = new Map<number, readonly Hex32[]>();
  readonly #put = new Set<string>();
  readonly #sealed = new Set<Hex32>();

  private constructor(path: string, file: FileHandle, release: () => void, first: Begun, lines: readonly Line[]) {
    this.#path = path;
    this.#file = file;
    this.#release = release;
    this.begun = first;
    for (const known of lines) this.#know(known);
  }

  /**
   * Goes on with the journal at `path`, or begins it. One of another version of the file is handed to `abandon` first. Throws
   * CONFLICT when another process has it.
   */
  static async open(path: string, fresh: Begun, abandon: (before: Begun) => Promise<void>): Promise<Journal> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const release = takeLock(`${path}.lock`);
    try {
      const { lines, bytes } = readLines((await readIfThere(path)) ?? '');
      const [first] = lines;
      if (first?.kind === 'begun' && first.version === fresh.version) {
        await truncate(path, bytes);
        return new Journal(path, await open(path, 'a', 0o600), release, first, lines);
      }
      if (first?.kind === 'begun') await abandon(first);
      await rm(path, { force: true });
      const journal = new Journal(path, await open(path, 'a', 0o600), release, fresh, []);
      await journal.#write(fresh);
      return journal;
    } catch (error) {
      release();
      throw error;
    }
  }

  #know(known: Line): void {
    if (known.kind === 'made') this.#made.set(known.group, known.hashes);
    if (known.kind === 'put') for (const id of known.agreements) this.#put.add(noteOf(known.group, id));
    if (known.kind === 'sealed') this.#sealed.add(known.agreementId);
  }

  async #write(known: Line): Promise<void> {
    this.#know(known);
    await this.#file.appendFile(`${JSON.stringify(known)}\n`);
    await this.#file.datasync();
  }

  /** False: the group was something else the last time. Resolves when it is durable. */
  async made(group: number, hashes: readonly Hex32[]): Promise<boolean> {
    const before = this.#made.get(group);
    if (before === undefined) await this.#write({ kind: 'made', group, hashes: [...hashes] });
    return before === undefined || before.join() === hashes.join();
  }

  isPut = (group: number, agreementId: Hex32): boolean => this.#put.has(noteOf(group, agreementId));
  async put(group: number, agreements: readonly Hex32[]): Promise<void> {
    if (agreements.length > 0) await this.#write({ kind: 'put', group, agreements: [...agreements] });
  }

  isSealed = (agreementId: Hex32): boolean => this.#sealed.has(agreementId);
  async sealed(agreementId: Hex32): Promise<void> {
    await this.#write({ kind: 'sealed', agreementId });
  }

  /** Forgets all of it: the file is stored, or given up. */
  async discard(): Promise<void> {
    await rm(this.#path, { force: true });
  }

  async close(): Promise<void> {
    await this.#file.close();
    this.#release();
  }
}
