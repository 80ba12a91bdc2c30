import { framesOf } from '../../agent/frames.ts';
import type { ContainerRun } from '../../agent/ports.ts';

const PIECE_BYTES = 1024 * 1024;

export type Conversation = {
  /** The checkpoints in their frames, as the next run wants them: one a frame. */
  readonly checkpoints: readonly Buffer[];
  /** Empty while there is none. */
  readonly output: Buffer;
  readonly lines: readonly string[];
  readonly code: number;
};

/** A job from outside the agent: its header and input through the door, what it had before, and all that it says. */
export async function converse(
  run: ContainerRun,
  job: {
    readonly input: Buffer;
    readonly params: Readonly<Record<string, string>>;
    readonly saved?: readonly Buffer[];
    /** Ends it when it has handed out so many checkpoints. */
    readonly endAfter?: number;
    readonly end?: () => Promise<void>;
  },
): Promise<Conversation> {
  const { input, params, saved = [], endAfter, end } = job;
  const before = Buffer.concat(saved);
  const lines: string[] = [];
  const checkpoints: Buffer[] = [];
  let output = Buffer.alloc(0);
  const errors = (async () => {
    for await (const line of run.stderr) lines.push(line);
  })();
  const sent = (async () => {
    const header = { params, inputBytes: input.length, checkpointBytes: before.length };
    await run.write(Buffer.from(`${JSON.stringify(header)}\n`));
    for (const bytes of [input, before]) {
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) await run.write(bytes.subarray(at, at + PIECE_BYTES));
    }
    // A job that refuses what it is given may be gone before it has it all.
  })().catch(() => undefined);
  let parts: Uint8Array[] = [];
  let isOutput = false;
  for await (const part of framesOf(run.stdout)) {
    if (part.kind === 'head') {
      isOutput = part.head.frame === 'output';
      parts = isOutput ? [] : [Buffer.from(`${JSON.stringify(part.head)}   \n`)];
    } else if (part.kind === 'body') parts.push(part.chunk);
    else if (isOutput) output = Buffer.concat(parts);
    else {
      checkpoints.push(Buffer.concat(parts));
      if (checkpoints.length === endAfter) await end?.();
    }
  }
  await Promise.all([errors, sent]);
  return { checkpoints, output, lines, code: (await run.exited).code };
}

/** What a job said of its progress, 0 to 1. */
export const progressIn = (lines: readonly string[]): readonly number[] =>
  lines.flatMap((line) => (JSON.parse(line) as { progress?: number }).progress ?? []);
