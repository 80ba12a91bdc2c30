import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { Failure, fail } from '../core/errors.ts';
import type { Hex32 } from '../core/primitives.ts';
import { type Checkpoints, type Sink, writeAll } from './checkpoints.ts';
import { framesOf, objectIn } from './frames.ts';
import type { ContainerRun } from './ports.ts';

const CHUNK_BYTES = 256 * 1024;
const TAIL_LINES = 8;
const TAIL_CHARACTERS = 400;

export type Output = { readonly sha256: Hex32; readonly bytes: number };

/** The first `bytes` bytes of a file. */
type Part = { readonly path: string; readonly bytes: number };

/** The job's header and what follows it, through the door (workloads/README.md). A door that closes early is the job's business. */
export async function feed(run: ContainerRun, header: unknown, parts: readonly Part[]): Promise<void> {
  try {
    await run.write(new TextEncoder().encode(`${JSON.stringify(header)}\n`));
    for (const { path, bytes } of parts) {
      if (bytes === 0) continue;
      const stream = createReadStream(path, { highWaterMark: CHUNK_BYTES, end: bytes - 1 });
      for await (const chunk of stream) await run.write(chunk as Uint8Array);
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'CANCELLED')) throw error;
  }
}

/** Whether a file is what it should be, whoever wrote it and however that ended. */
export async function holds(path: string, wanted: Output): Promise<boolean> {
  const hash = createHash('sha256');
  try {
    const { size } = await stat(path);
    if (size !== wanted.bytes) return false;
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) hash.update(chunk as Uint8Array);
  } catch {
    return false;
  }
  return `0x${hash.digest('hex')}` === wanted.sha256;
}

/**
 * Writes the result on standard output to a file while hashing it. With `checkpoints` it keeps those that come before it, and
 * closes them. Null: the output ended before the result was whole. Throws WORKLOAD_FAILED past `maxBytes` and for what is no frame, DISK_FULL.
 */
export async function collect(
  run: ContainerRun,
  into: { readonly path: string; readonly maxBytes: number; readonly checkpoints: Checkpoints | null },
): Promise<Output | null> {
  const { path, maxBytes, checkpoints } = into;
  const hash = createHash('sha256');
  let bytes = 0;
  let whole = false;
  const file = await open(path, 'w', 0o600).catch((error: unknown) => {
    checkpoints?.close().catch(() => undefined);
    throw full(error);
  });
  const result: Sink = {
    async write(chunk) {
      bytes += chunk.length;
      if (bytes > maxBytes) fail('WORKLOAD_FAILED', `the output is larger than ${maxBytes} bytes`);
      hash.update(chunk);
      const at = bytes - chunk.length;
      try {
        await writeAll(file, chunk, at);
      } catch (error) {
        // With a result at hand nobody needs the way there.
        if (!isFull(error) || !(await checkpoints?.makeRoom())) throw error;
        await writeAll(file, chunk, at);
      }
    },
    async end() {
      whole = true;
    },
  };
  try {
    if (checkpoints === null) {
      for await (const chunk of run.stdout) await result.write(chunk);
      await result.end();
    } else await sort(run.stdout, checkpoints, result, () => whole);
  } catch (error) {
    throw full(error);
  } finally {
    await Promise.all([file.close(), checkpoints?.close()]);
  }
  return whole ? { sha256: `0x${hash.digest('hex')}`, bytes } : null;
}

const isFull = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');

const full = (error: unknown): unknown =>
  isFull(error) ? new Failure('DISK_FULL', 'the disk is full: the output of a job does not fit', {}, error) : error;

/** Each frame to where it belongs; nothing may follow the result. */
async function sort(
  stdout: AsyncIterable<Uint8Array>,
  checkpoints: Checkpoints,
  result: Sink,
  whole: () => boolean,
): Promise<void> {
  let sink = result;
  for await (const part of framesOf(stdout)) {
    if (whole()) fail('WORKLOAD_FAILED', 'more than one result');
    if (part.kind === 'head') sink = part.head.frame === 'output' ? result : checkpoints.next(part.head.bytes);
    else if (part.kind === 'body') await sink.write(part.chunk);
    else await sink.end();
  }
}

export type Said = { readonly done: boolean; readonly error: string | null; readonly tail: string };

/** Reads standard error to its end: progress is passed on, anything that is no JSON object is kept as the tail. */
export async function listen(run: ContainerRun, onProgress: (progress: number) => void): Promise<Said> {
  let done = false;
  let error: string | null = null;
  const tail: string[] = [];
  for await (const line of run.stderr) {
    const said = objectIn(line);
    if (said === null) {
      tail.push(line);
      if (tail.length > TAIL_LINES) tail.shift();
      continue;
    }
    const { progress } = said;
    if (typeof progress === 'number' && progress >= 0 && progress <= 1) onProgress(progress);
    if (said['done'] === true) done = true;
    if (typeof said['error'] === 'string') error = said['error'].slice(-TAIL_CHARACTERS);
  }
  return { done, error, tail: tail.join('\n').slice(-TAIL_CHARACTERS) };
}
