import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { fail } from '../core/errors.ts';
import type { Hex32 } from '../core/primitives.ts';
import type { ContainerRun } from './ports.ts';

const CHUNK_BYTES = 256 * 1024;
const TAIL_LINES = 8;
const TAIL_CHARACTERS = 400;

export type Output = { readonly sha256: Hex32; readonly bytes: number };

/** The job's header and its input through the door (workloads/README.md). A door that closes early is the job's business. */
export async function feed(run: ContainerRun, header: unknown, inputPath: string): Promise<void> {
  try {
    await run.write(new TextEncoder().encode(`${JSON.stringify(header)}\n`));
    for await (const chunk of createReadStream(inputPath, { highWaterMark: CHUNK_BYTES })) {
      await run.write(chunk as Uint8Array);
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

/** Writes standard output to a file while hashing it. Throws WORKLOAD_FAILED past `maxBytes`, DISK_FULL. */
export async function collect(run: ContainerRun, path: string, maxBytes: number): Promise<Output> {
  const hash = createHash('sha256');
  let bytes = 0;
  const file = await open(path, 'w', 0o600);
  try {
    for await (const chunk of run.stdout) {
      bytes += chunk.length;
      if (bytes > maxBytes) fail('WORKLOAD_FAILED', `the output is larger than ${maxBytes} bytes`);
      hash.update(chunk);
      await file.writeFile(chunk);
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')) {
      fail('DISK_FULL', 'the disk is full: the output of a job does not fit', {}, error);
    }
    throw error;
  } finally {
    await file.close();
  }
  return { sha256: `0x${hash.digest('hex')}`, bytes };
}

export type Said = { readonly done: boolean; readonly error: string | null; readonly tail: string };

/** Reads standard error to its end: progress is passed on, anything that is no JSON object is kept as the tail. */
export async function listen(run: ContainerRun, onProgress: (progress: number) => void): Promise<Said> {
  let done = false;
  let error: string | null = null;
  const tail: string[] = [];
  for await (const line of run.stderr) {
    const said = parse(line);
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

function parse(line: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : null;
  } catch {
    return null;
  }
}
