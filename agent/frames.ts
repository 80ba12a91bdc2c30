import { z } from 'zod';
import { fail } from '../core/errors.ts';

const frameHead = z.object({
  frame: z.enum(['checkpoint', 'output']),
  bytes: z.number().int().nonnegative(),
  sha256: z.string().optional(),
  progress: z.number().min(0).max(1).optional(),
});
/** The line before a frame's bytes (workloads/README.md). `sha256` and `progress` stand only in frames that the agent keeps. */
export type FrameHead = z.output<typeof frameHead>;

/** A frame as it comes: its head, its bytes in pieces, and `end` when all of them were there. */
export type FramePart =
  | { readonly kind: 'head'; readonly head: FrameHead }
  | { readonly kind: 'body'; readonly chunk: Uint8Array }
  | { readonly kind: 'end' };

/** What is longer is no head. */
const MAX_HEAD_BYTES = 512;
const NEWLINE = 0x0a;

/**
 * Takes a byte stream apart into frames, however its pieces fall. A stream that ends within a frame ends there, without
 * `end`. Throws WORKLOAD_FAILED at the first line that is no head.
 */
export async function* framesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<FramePart> {
  let line: Uint8Array = new Uint8Array();
  /** Bytes of the body that are still to come; null: a head is. */
  let left: number | null = null;
  for await (const piece of stream) {
    let rest: Uint8Array = piece;
    while (rest.length > 0) {
      if (left === null) {
        const end = rest.indexOf(NEWLINE);
        line = Buffer.concat([line, end < 0 ? rest : rest.subarray(0, end)]);
        if (line.length > MAX_HEAD_BYTES) return fail('WORKLOAD_FAILED', 'its output is not in frames');
        if (end < 0) break;
        rest = rest.subarray(end + 1);
        const head = headOf(line);
        line = new Uint8Array();
        left = head.bytes;
        yield { kind: 'head', head };
      } else {
        const chunk = rest.subarray(0, left);
        rest = rest.subarray(chunk.length);
        left -= chunk.length;
        yield { kind: 'body', chunk };
      }
      if (left === 0) {
        left = null;
        yield { kind: 'end' };
      }
    }
  }
}

function headOf(line: Uint8Array): FrameHead {
  const head = frameHead.safeParse(objectIn(new TextDecoder().decode(line)));
  return head.success ? head.data : fail('WORKLOAD_FAILED', 'its output is not in frames');
}

/** The JSON object that a line is; null when it is anything else. */
export function objectIn(line: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : null;
  } catch {
    return null;
  }
}
