import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import { fail } from '../../core/errors.ts';

const HEADER = 8;
const STDERR = 2;
const MAX_LINE = 4096;
const MAX_SAID = 4 * 1024 * 1024;
/** One a second for as long as a job may run at all. */
const MAX_LINES = 100_000;

/**
 * Splits an attached stream into its two halves. Frames are 8 bytes (kind, three zeros, length big-endian) and a payload.
 * Source: Docker Engine API, "Attach to a container". Both halves must be read: one that is not stalls the other.
 */
export function demultiplex(attached: Readable): { readonly stdout: PassThrough; readonly stderr: PassThrough } {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const pump = async (): Promise<void> => {
    let header = Buffer.alloc(0);
    let left = 0;
    let sink = stdout;
    for await (const data of attached) {
      let chunk: Buffer = data;
      while (chunk.length > 0) {
        if (left === 0) {
          const missing = HEADER - header.length;
          header = Buffer.concat([header, chunk.subarray(0, missing)]);
          chunk = chunk.subarray(missing);
          if (header.length < HEADER) continue;
          sink = header[0] === STDERR ? stderr : stdout;
          left = header.readUInt32BE(4);
          header = Buffer.alloc(0);
          continue;
        }
        const part = chunk.subarray(0, left);
        chunk = chunk.subarray(part.length);
        left -= part.length;
        if (!sink.write(part) && !sink.destroyed) await roomIn(sink);
      }
    }
  };
  // A broken connection shows in the container's exit; here it is only an end.
  const finish = (): void => {
    stdout.end();
    stderr.end();
  };
  void pump().then(finish, finish);
  return { stdout, stderr };
}

/** Resolves when more can be written, or nothing ever will; leaves no listener behind. */
async function roomIn(sink: PassThrough): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  try {
    await Promise.race([once(sink, 'drain', { signal }), once(sink, 'close', { signal })]);
  } finally {
    over.abort();
  }
}

/**
 * Whole lines without the newline; what exceeds 4 KiB of one line is dropped. Throws WORKLOAD_FAILED past 4 MiB or
 * 100 000 lines in all: reading what a job says costs the machine time that no limit of the container counts.
 */
export async function* linesOf(stream: Readable): AsyncGenerator<string> {
  let line = Buffer.alloc(0);
  let seen = 0;
  let lines = 0;
  for await (const data of stream) {
    let chunk: Buffer = data;
    seen += chunk.length;
    if (seen > MAX_SAID) fail('WORKLOAD_FAILED', `the job said more than ${MAX_SAID} bytes about itself`);
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10)) {
      lines += 1;
      if (lines > MAX_LINES) fail('WORKLOAD_FAILED', `the job said more than ${MAX_LINES} lines about itself`);
      yield Buffer.concat([line, chunk.subarray(0, Math.min(end, MAX_LINE - line.length))]).toString('utf8');
      line = Buffer.alloc(0);
      chunk = chunk.subarray(end + 1);
    }
    line = Buffer.concat([line, chunk.subarray(0, MAX_LINE - line.length)]);
  }
  if (line.length > 0) yield line.toString('utf8');
}
