import { Duplex } from 'node:stream';
import { asFailure } from '../core/errors.ts';
import type { FrameGuard } from './frame-guard.ts';
import type { ContainerRun } from './ports.ts';

type DoorEvents = {
  /** Nothing more will be written: the session has left. */
  readonly left: () => void;
  /** The container's output is at its end. The stream does not end with it: whoever owns it says why, and destroys it. */
  readonly gone: () => void;
};

/** A container's input and output as one stream. Closing the container's door is its owner's. */
export function doorOf(run: ContainerRun, guard: Pick<FrameGuard, 'see'>, { left, gone }: DoorEvents): Duplex {
  const source = run.stdout[Symbol.asyncIterator]();
  const send = (chunk: Uint8Array, done: (error?: Error | null) => void): void =>
    void run.write(chunk).then(() => done(), done);
  /** What nobody wants any more is read to its end: unread it would hold up standard error, and letting go breaks the stream. */
  async function spill(): Promise<void> {
    try {
      while ((await source.next()).done !== true);
    } catch {
      // It has ended all the same.
    }
  }
  const door = new Duplex({
    read() {
      source.next().then(
        ({ done, value }) => {
          if (done === true) return gone();
          try {
            guard.see(value);
            return door.push(value);
          } catch (error) {
            return door.destroy(asFailure(error));
          }
        },
        (error: unknown) => door.destroy(asFailure(error)),
      );
    },
    write: (chunk: Buffer, _encoding, done) => send(chunk, done),
    // Small frames go in one piece.
    writev: (parts, done) => send(Buffer.concat(parts.map(({ chunk }) => chunk as Buffer)), done),
    final(done) {
      done();
      left();
    },
    destroy(error, done) {
      void spill();
      done(error);
    },
  });
  return door;
}
