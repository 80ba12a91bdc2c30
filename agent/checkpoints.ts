import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { type FileHandle, open, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, isFailure } from '../core/errors.ts';
import { framesOf } from './frames.ts';

/** Room for a head, which is written after the bytes it tells of: until then there is nothing there that reads as one. */
const HEAD_BYTES = 256;
/** Each is brought to the disk by itself: work that hands out nothing without end would keep the disk from its owner. */
const MAX_CHECKPOINTS = 10_000;

/** What is written piece by piece. */
export type Sink = {
  readonly write: (chunk: Uint8Array) => Promise<void>;
  /** All of it is there. */
  readonly end: () => Promise<void>;
};

/** Where a lease's checkpoints lie in its folder. */
export const checkpointsIn = (folder: string): string => join(folder, 'checkpoints');

/** The checkpoints of one lease on disk, in the order in which its work has handed them out. */
export type Checkpoints = {
  readonly path: string;
  /** Those of earlier runs, to be fed to the work verbatim. */
  readonly bytes: number;
  /** What the work had reached with the last of them, 0 to 1. */
  readonly progress: number;
  /** A frame of `bytes` bytes follows; it counts from its `end` on. Throws WORKLOAD_FAILED past a bound. */
  readonly next: (bytes: number) => Sink;
  /** Keeps none of them any longer, nor any more: their room is wanted. False: there is no room to be had. */
  readonly makeRoom: () => Promise<boolean>;
  readonly close: () => Promise<void>;
};

/**
 * Opens the checkpoints at `path`, those of earlier runs with it. Each frame carries the hash of its bytes: what a crash has
 * torn, and whatever follows it, is dropped. A disk that takes no more keeps what it has, and the work goes on.
 */
export async function openCheckpoints(options: {
  readonly path: string;
  /** Of all frames together, heads included. */
  readonly maxBytes: number;
  /** What the work has reached by now, 0 to 1. */
  readonly progress: () => number;
  /** No more checkpoints are kept. */
  readonly failed: (error: unknown) => void;
}): Promise<Checkpoints> {
  const { path, maxBytes } = options;
  const file = await open(path, 'a+', 0o600);
  await file.close();
  const kept = await wholeFrames(path);
  await truncate(path, kept.bytes);
  const log: FileHandle = await open(path, 'r+');
  let end = kept.bytes;
  let broken = false;
  const admit = within(maxBytes, kept);

  async function unlessBroken(step: () => Promise<void>): Promise<void> {
    if (broken) return;
    try {
      await step();
    } catch (error) {
      broken = true;
      options.failed(error);
      // What was written of it takes room that the result may need.
      await log.truncate(end).catch(() => undefined);
    }
  }

  return {
    ...{ path, bytes: kept.bytes, progress: kept.progress },
    next(bytes) {
      admit(bytes);
      const start = end;
      let at = start + HEAD_BYTES;
      const hash = createHash('sha256');
      return {
        write: (chunk) =>
          unlessBroken(async () => {
            hash.update(chunk);
            await writeAll(log, chunk, at);
            at += chunk.length;
          }),
        end: () =>
          unlessBroken(async () => {
            const head = { frame: 'checkpoint', bytes, sha256: hash.digest('hex'), progress: options.progress() };
            await writeAll(log, Buffer.from(`${JSON.stringify(head).padEnd(HEAD_BYTES - 1)}\n`), start);
            await log.datasync();
            end = at;
          }),
      };
    },
    async makeRoom() {
      if (end === 0) return false;
      [broken, end] = [true, 0];
      await log.truncate(0);
      return true;
    },
    close: () => log.close(),
  };
}

/** For a disk that keeps none: they are read past, within the same bounds. */
export function noCheckpoints(maxBytes: number): Checkpoints {
  const admit = within(maxBytes, { bytes: 0, count: 0 });
  return {
    ...{ path: '', bytes: 0, progress: 0 },
    next(bytes) {
      admit(bytes);
      return { write: async () => undefined, end: async () => undefined };
    },
    makeRoom: async () => false,
    close: async () => undefined,
  };
}

/** Counts what work hands out on top of what it had, kept or not: its fate is not the disk's. Throws WORKLOAD_FAILED past a bound. */
function within(maxBytes: number, had: { readonly bytes: number; readonly count: number }): (bytes: number) => void {
  let { bytes: taken, count } = had;
  return (bytes) => {
    const more = taken + HEAD_BYTES + bytes;
    if (more > maxBytes) fail('WORKLOAD_FAILED', `its checkpoints are larger than ${maxBytes} bytes`);
    if (count >= MAX_CHECKPOINTS) fail('WORKLOAD_FAILED', `it handed out more than ${MAX_CHECKPOINTS} checkpoints`);
    [taken, count] = [more, count + 1];
  };
}

/**
 * Takes the checkpoints away from work that failed with them: they may be what it failed of. False: it has been given that
 * chance before.
 */
export async function forsake(folder: string): Promise<boolean> {
  const said = join(folder, 'from-scratch');
  if (existsSync(said)) return false;
  try {
    await rm(checkpointsIn(folder), { recursive: true, force: true });
    await writeFile(said, '', { mode: 0o600 });
    return true;
  } catch {
    return false;
  }
}

/** At a place in a file, however many calls it takes. */
export async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
  }
}

/** Length of the frames at the beginning of a file that are whole and as they were written. */
async function wholeFrames(
  path: string,
): Promise<{ readonly bytes: number; readonly count: number; readonly progress: number }> {
  let whole = { bytes: 0, count: 0, progress: 0 };
  let hash = createHash('sha256');
  let head: { readonly bytes: number; readonly sha256: string; readonly progress: number } | null = null;
  try {
    for await (const part of framesOf(createReadStream(path) as AsyncIterable<Uint8Array>)) {
      if (part.kind === 'head') {
        const { bytes, sha256 = '', progress = 0 } = part.head;
        head = { bytes, sha256, progress };
        hash = createHash('sha256');
      } else if (part.kind === 'body') hash.update(part.chunk);
      else if (head !== null && hash.digest('hex') === head.sha256) {
        const { bytes, count } = whole;
        whole = { bytes: bytes + HEAD_BYTES + head.bytes, count: count + 1, progress: head.progress };
      } else break;
    }
  } catch (error) {
    if (!isFailure(error, 'WORKLOAD_FAILED')) throw error;
  }
  return whole;
}
