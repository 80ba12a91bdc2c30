import { readFile } from 'node:fs/promises';
import { systemClock } from '../agent/adapters/clock.ts';
import { systemRandom } from '../agent/adapters/random.ts';
import { createVerifier } from '../agent/verifier.ts';
import { type Catalogue, imageIds, systemImage, type Verifier } from '../core/catalogue.ts';
import { fail } from '../core/errors.ts';
import type { Address } from '../core/primitives.ts';
import { defaultSettings } from '../core/settings.ts';
import type { VerifierTask } from '../core/verifier.ts';
import type { Logger } from './log.ts';
import { openEngine, tidy } from './machine.ts';
import { resourcePath } from './paths.ts';

/** Bears the labels of no device that could be enrolled: no agent's janitor minds its containers. */
export const JUDGE: Address = '0x00000000000000000000000000000000000717d6';

export type Judge = {
  readonly runVerifier: (task: VerifierTask, signal: AbortSignal) => Promise<number>;
  readonly close: () => void;
};

/**
 * The engine on which a coordinator runs workloads' verifiers: under the same gates, with the same supervisor, seccomp profile and runtime as an
 * agent's work. Throws ENGINE_AWAY and REFUSED when it cannot be used now: an operator who configured one wants to know at once.
 */
export async function openJudge(options: {
  readonly catalogue: Catalogue;
  readonly log: Logger;
  /** Instead of wherever an engine may be. */
  readonly socketPath?: string;
}): Promise<Judge> {
  const { catalogue, log } = options;
  const opened = openEngine({ ...options, settings: defaultSettings(), device: JUDGE });
  const { containers, engine, images, close } = opened;

  /** Fetches what is not there. One at a time: two would fetch one image twice. */
  let turn: Promise<void> = Promise.resolve();
  async function hold({ image, pull }: Pick<Verifier, 'image' | 'pull'>): Promise<void> {
    if (await containers.hasImage(image)) return;
    if (pull === null)
      fail('NOT_FOUND', `the engine does not hold ${image}, and the catalogue does not say where it is`);
    log('info', 'image-fetch', { image, bytes: pull.bytes });
    const signal = new AbortController().signal;
    await images.pull(pull, imageIds({ image, pull }), { signal, onProgress: () => undefined });
  }

  async function ready(verifier: Verifier) {
    await engine.look();
    const state = engine.state();
    if (state.kind === 'unfit') fail('REFUSED', `the engine may not run strangers' work: ${state.why.kind}`);
    if (state.kind !== 'ready') fail('ENGINE_AWAY', 'the engine for verifiers does not answer; start it');
    const { door } = engine.launch();
    const needed = [verifier, ...catalogue.entries.filter(({ image }) => image === door)];
    const mine = turn.then(async () => {
      for (const one of needed) await hold(one);
    });
    turn = mine.catch(() => undefined);
    await mine;
    return engine.launch();
  }

  try {
    if (systemImage(catalogue, 'door') === null)
      fail('REFUSED', 'the catalogue has no supervisor to run verifiers with');
    await tidy(opened);
    if (engine.state().kind !== 'ready') {
      fail('ENGINE_AWAY', 'an engine for verifiers is configured and cannot be used; start it, or take it out', {
        state: engine.state().kind,
      });
    }
    const runVerifier = createVerifier({
      ports: {
        ...{ containers, log, clock: systemClock, random: systemRandom },
        seccompProfile: await readFile(resourcePath('seccomp.json'), 'utf8'),
      },
      ...{ device: JUDGE, instance: systemRandom.hex32(), ready },
    });
    return { runVerifier, close };
  } catch (error) {
    close();
    throw error;
  }
}
