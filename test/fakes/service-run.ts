import { Duplex, PassThrough } from 'node:stream';
import { linesOf } from '../../agent/adapters/docker-stream.ts';
import type { ContainerRun } from '../../agent/ports.ts';
import { Failure } from '../../core/errors.ts';

/** A container without an engine: its input and output are handed to whoever plays the workload. */
export function serviceRun() {
  const input = new PassThrough();
  const output = new PassThrough();
  const stderr = new PassThrough();
  let shuts = 0;
  let exit: (outcome: { code: number; outOfMemory: boolean }) => void = () => undefined;
  const exited = new Promise<{ code: number; outOfMemory: boolean }>((resolve) => {
    exit = resolve;
  });
  const over = (code: number): void => {
    output.end();
    stderr.end();
    exit({ code, outOfMemory: false });
  };
  const run: ContainerRun = {
    containerId: 'service',
    write: (chunk) =>
      new Promise((resolve, reject) => {
        if (shuts > 0) return reject(new Failure('CANCELLED', 'the container closed its door'));
        if (input.write(chunk)) return resolve();
        input.once('drain', resolve);
      }),
    shut() {
      shuts += 1;
      input.end();
      over(143);
    },
    stdout: output,
    stderr: linesOf(stderr),
    exited,
  };
  return {
    run,
    /** As the workload sees it. */
    inside: Duplex.from({ readable: input, writable: output }) as Duplex,
    ...{ input, output, stderr, exit: over },
    shuts: () => shuts,
  };
}
