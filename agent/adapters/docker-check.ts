import { existsSync } from 'node:fs';
import type Docker from 'dockerode';
import type { EngineFacts } from '../../core/engine-gates.ts';
import { asFailure } from '../../core/errors.ts';
import { engineGpus } from '../../core/gpu-grants.ts';
import type { EngineState } from '../../core/signals.ts';
import { connect, pointAt, statusOf, thisMachine, within } from './docker-connection.ts';
import { type EngineInfo, type EngineVersion, factsOf } from './docker-facts.ts';
import { type EnginePlace, enginePlaces, type Surroundings } from './engine-places.ts';
import { errnoOf } from './files.ts';

const CHECK_TIMEOUT_MS = 3_000;

/** Why nothing answered. Exported for its table of cases: root, who runs many tests, is never refused. */
export function unreached(error: unknown): Extract<EngineState, { kind: 'absent' | 'forbidden' }> {
  const refused = ['EACCES', 'EPERM'].includes(errnoOf(error));
  return { kind: refused ? 'forbidden' : 'absent', detail: asFailure(error).message };
}

export type EngineCheck = {
  readonly check: () => Promise<EngineState>;
  /** Of the engine that answered last; null: none has. */
  readonly facts: () => EngineFacts | null;
  /** Where it listens, as the owner may be told; null: nowhere known. */
  readonly place: () => string | null;
};

/** Finds the engine and asks what it is. One that is lost is looked for again wherever one could be. */
export function engineCheck(
  docker: Docker,
  options: {
    /** Instead of the search. */
    readonly socketPath?: string;
    readonly allowRemote?: () => boolean;
    readonly surroundings?: () => Surroundings;
    /** Work runs on the engine in use: what is said next must not reach another. */
    readonly occupied?: () => boolean;
  },
): EngineCheck {
  const { socketPath, allowRemote = () => false, surroundings = thisMachine, occupied = () => false } = options;
  let facts: EngineFacts | null = null;
  let used: EnginePlace | null = null;

  const places = (): readonly EnginePlace[] =>
    socketPath === undefined ? enginePlaces(surroundings()) : [{ kind: 'local', path: socketPath }];

  async function ask(place: EnginePlace): Promise<EngineState> {
    if (place.kind === 'remote' && !allowRemote()) return { kind: 'unfit', why: { kind: 'remote', url: place.url } };
    if (!pointAt(docker, place, surroundings().env))
      return { kind: 'absent', detail: `${place.kind} engine cannot be spoken to` };
    try {
      const answers = Promise.all([docker.info(), docker.version()]);
      const [info, version] = (await within(CHECK_TIMEOUT_MS, answers)) as [EngineInfo, object];
      facts = factsOf(info, version as EngineVersion);
      used = place;
      return { kind: 'ready', version: facts.version, gpus: engineGpus(info) };
    } catch (error) {
      // What answers, but not so, is an engine all the same.
      return statusOf(error) === null ? unreached(error) : { kind: 'absent', detail: asFailure(error).message };
    }
  }

  // Somewhere, until the first check: who asks at once is answered as soon as an engine is where one usually is.
  const first = places().find((place) => place.kind === 'local' && existsSync(place.path)) ?? places()[0];
  if (first?.kind === 'local') pointAt(docker, first, {});

  return {
    async check() {
      const failures: EngineState[] = [];
      // The one in use first: another that comes up beside it takes no work away from it.
      for (const place of used === null ? places() : occupied() ? [used] : [used, ...places()]) {
        const state = await ask(place);
        if (state.kind === 'ready' || state.kind === 'unfit') return state;
        failures.push(state);
      }
      if (!occupied()) used = null;
      return (
        failures.find(({ kind }) => kind === 'forbidden') ?? failures[0] ?? { kind: 'absent', detail: 'no engine' }
      );
    },
    facts: () => facts,
    place: () => (used === null ? null : used.kind === 'local' ? used.path : used.url),
  };
}

/** For what asks no engine whether it may be used: one of its own, at the first place where an engine is. */
export function engineClient(options: { readonly socketPath?: string }): Docker {
  const docker = connect();
  engineCheck(docker, options);
  return docker;
}
