import { Failure } from '../../core/errors.ts';

/** Bytes that the first process of a container (workloads/door) holds for its program; more of them end it. */
const WINDOW = 4 * 1024 * 1024;
/** Half of it, so that one is under way while another is taken. */
const MAX_PIECE = WINDOW / 2;
const TOLD = /^\{"door":(\d{1,15})\}$/;

/** Lets input into a container no further ahead of its program than the window: the end of input must never queue behind it. */
export function inputWindow() {
  let sent = 0;
  let taken = 0;
  let closed = false;
  let turn: Promise<void> = Promise.resolve();
  let wake = (): void => undefined;

  async function room(bytes: number): Promise<void> {
    while (!closed && sent + bytes - taken > WINDOW) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    if (closed) throw new Failure('CANCELLED', 'the container closed its door');
    sent += bytes;
  }

  return {
    /** Hands a chunk to `write` in pieces as there is room; chunks keep their order. Throws CANCELLED when the container has ended. */
    pass(chunk: Uint8Array, write: (piece: Uint8Array) => Promise<void>): Promise<void> {
      const work = turn.then(async () => {
        for (let at = 0; at < chunk.length; at += MAX_PIECE) {
          const piece = chunk.subarray(at, at + MAX_PIECE);
          await room(piece.length);
          await write(piece);
        }
      });
      turn = work.catch(() => undefined);
      return work;
    },
    /** Lines of standard error, without those of the door. */
    async *heard(lines: AsyncIterable<string>): AsyncGenerator<string> {
      for await (const line of lines) {
        const told = TOLD.exec(line)?.[1];
        if (told === undefined) yield line;
        else {
          taken = Math.max(taken, Number(told));
          wake();
        }
      }
    },
    close(): void {
      closed = true;
      wake();
    },
  };
}
