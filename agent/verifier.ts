import type { Verifier } from '../core/catalogue.ts';
import { asFailure, fail, isFailure } from '../core/errors.ts';
import type { Address } from '../core/primitives.ts';
import { containerSpec } from '../core/sandbox.ts';
import type { OutputSource, VerifierTask } from '../core/verifier.ts';
import type { Launch } from './engine-watch.ts';
import { listen } from './job-io.ts';
import type { ContainerRun, Ports } from './ports.ts';

type VerifierOptions = {
  readonly ports: Pick<Ports, 'clock' | 'log' | 'random' | 'containers' | 'seccompProfile'>;
  /** Whose containers they are, on the engine. */
  readonly device: Address;
  readonly instance: string;
  /**
   * What a launch begins with, once the engine is known to be fit for it and to hold the image. Throws ENGINE_AWAY, REFUSED and what else
   * keeps it from that.
   */
  readonly ready: (verifier: Verifier) => Promise<Launch>;
};

/** It has not come to an answer. */
const NO_ANSWER = -1;
const ANSWERS: ReadonlySet<number> = new Set([0, 1]);

/**
 * Runs a workload's verifier over two outputs as strangers' work is run, with the limits that the catalogue gives it: 0, they are the same
 * answer; 1, they are not; anything else, it cannot say. Throws when the machine failed and not the verifier, and CANCELLED by `signal`.
 */
export function createVerifier(options: VerifierOptions): (task: VerifierTask, signal: AbortSignal) => Promise<number> {
  const { ports, device, instance } = options;
  const { clock, containers, log, random, seccompProfile } = ports;

  async function launch(verifier: Verifier): Promise<ContainerRun> {
    const { image, program, limits } = verifier;
    const { door: doorImage, gateway: _way, ...runtime } = await options.ready(verifier);
    const door = await containers.door(image, doorImage, device);
    const grants = { door: program === null ? door : { ...door, program }, ...runtime };
    // Nobody's share is divided here: it has what the catalogue says.
    const share = { cpuCores: limits.cpuCores, memoryBytes: limits.memoryBytes, pids: limits.pids };
    const labels = { lease: random.hex32(), device, instance };
    return await containers.run(containerSpec(verifier, share, labels, seccompProfile, grants));
  }

  return async ({ verifier, outputs }, signal) => {
    if (signal.aborted) fail('CANCELLED', 'nobody waits for the answer any more');
    const run = await launch(verifier);
    const remove = (): Promise<void> =>
      containers.remove(run.containerId).catch((error: unknown) => {
        // Without its door it ends by itself.
        run.shut();
        log('warn', 'verifier-not-removed', { detail: asFailure(error).message });
      });
    let late = false;
    const cancel = clock.after(verifier.limits.seconds * 1000, () => {
      late = true;
      void remove();
    });
    const stop = (): void => void remove();
    signal.addEventListener('abort', stop);
    // What breaks one stream ends the container, which ends the others.
    const end = async (error: unknown): Promise<never> => {
      await remove();
      throw error;
    };
    try {
      const [said, fed, , exit] = await Promise.allSettled([
        listen(run, () => undefined).catch(end),
        feed(run, outputs).catch(end),
        drain(run.stdout).catch(end),
        run.exited.catch(end),
      ]);
      if (signal.aborted) fail('CANCELLED', 'nobody waits for the answer any more');
      if (late) return NO_ANSWER;
      // An output that could not be read, or an engine that went, says nothing of the verifier.
      if (fed.status === 'rejected') throw fed.reason;
      if (exit.status === 'rejected') throw exit.reason;
      const { code, outOfMemory } = exit.value;
      // A program that crashes often ends with 1, too: without its own word that it is done, that is no answer.
      const done = said.status === 'fulfilled' && said.value.done && !outOfMemory;
      return done && ANSWERS.has(code) ? code : NO_ANSWER;
    } finally {
      cancel();
      signal.removeEventListener('abort', stop);
      await remove();
    }
  };
}

/** The header and both outputs, one after the other (workloads/README.md). It may know its answer before it has read them all. */
async function feed(run: ContainerRun, [one, other]: readonly [OutputSource, OutputSource]): Promise<void> {
  const header = { params: {}, inputBytes: one.bytes + other.bytes, firstBytes: one.bytes };
  try {
    await run.write(new TextEncoder().encode(`${JSON.stringify(header)}\n`));
    for (const { read } of [one, other]) for await (const chunk of read()) await run.write(chunk);
  } catch (error) {
    if (!isFailure(error, 'CANCELLED')) throw error;
  }
}

async function drain(stream: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of stream);
}
