import { Duplex } from 'node:stream';
import { asFailure } from '../core/errors.ts';
import type { FrameGuard } from './frame-guard.ts';
import type { ContainerRun } from './ports.ts';

/** A container's input and output as one stream. `left`: no more will be written; who ends or destroys it shuts the run. */
export function doorOf(run: ContainerRun, guard: Pick<FrameGuard, 'see'>, left: () => void): Duplex {
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
          if (done === true) return door.push(null);
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
