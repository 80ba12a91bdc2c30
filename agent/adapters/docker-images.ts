import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import type { PullSource } from '../../core/catalogue.ts';
import { asFailure, Failure, fail, isFailure } from '../../core/errors.ts';
import { faultText, type ImageConfig, imageFaults } from '../../core/image-rules.ts';
import { type HeldImage, type Images, nameOf } from '../image-ports.ts';
import type { Log } from '../ports.ts';
import { engineClient } from './docker-check.ts';
import { engineFailure, statusOf, within } from './docker-connection.ts';
import { errorIn, pullFailure, pullMeter } from './docker-pull.ts';
import { type Credentials, registryCredentials, registryOf } from './registry-credentials.ts';

const ANSWER_TIMEOUT_MS = 20_000;
/** Unpacking of one large layer on a slow disk says nothing for long. */
const SILENCE_MS = 5 * 60_000;
/** A line of progress has some 200 bytes; one longer than this is no progress. */
const MAX_LINE = 64 * 1024;

/** Names as the engine shows them: Docker's own registry is left out. */
const familiar = (name: string): string => name.replace(/^(index\.)?docker\.io\//, '').replace(/^library\//, '');

/** `credentials` replaces the owner's Docker configuration. */
export function dockerImages(options: {
  readonly log: Log;
  readonly socketPath?: string;
  readonly answerMs?: number;
  readonly silenceMs?: number;
  /** The connection of `dockerContainers`, which finds the engine. */
  readonly docker?: Docker;
  readonly credentials?: (registry: string) => Promise<Credentials | null>;
}): Images {
  const { log, answerMs = ANSWER_TIMEOUT_MS, silenceMs = SILENCE_MS } = options;
  const credentials = options.credentials ?? registryCredentials({ log });
  const docker = options.docker ?? engineClient(options);

  async function inspect(name: string): Promise<(HeldImage & { readonly config: ImageConfig }) | null> {
    try {
      const found = await within(answerMs, docker.getImage(name).inspect());
      const names = [...(found.RepoTags ?? []), ...(found.RepoDigests ?? [])];
      return { id: found.Id, names, bytes: found.Size, config: found.Config };
    } catch (error) {
      return statusOf(error) === 404 ? null : engineFailure(error);
    }
  }

  async function remove(source: Pick<PullSource, 'repository' | 'digest'>): Promise<'removed' | 'used' | 'gone'> {
    try {
      // No force: it would take the image from under a container that has ended.
      await within(answerMs, docker.getImage(nameOf(source)).remove({ force: false }));
      return 'removed';
    } catch (error) {
      if (statusOf(error) === 404) return 'gone';
      return statusOf(error) === 409 ? 'used' : engineFailure(error);
    }
  }

  /** Reads the engine's progress to its end. The engine answers 200 before it begins: only the lines tell of failure. */
  async function follow(stream: Readable, told: (line: unknown) => void): Promise<void> {
    const quiet = silence(silenceMs, stream);
    try {
      let rest = '';
      for await (const chunk of stream.setEncoding('utf8')) {
        quiet.heard();
        const lines = (rest + String(chunk)).split('\n');
        rest = (lines.pop() ?? '').slice(0, MAX_LINE);
        for (const line of lines) told(parsed(line));
      }
      told(parsed(rest));
    } finally {
      quiet.end();
    }
  }

  async function fetch(
    source: PullSource,
    { signal, onProgress }: Parameters<Images['pull']>[2],
    auth: Credentials | null,
  ): Promise<void> {
    const meter = pullMeter();
    let error: string | null = null;
    let stream: Readable | null = null;
    const stop = (): void => {
      stream?.destroy(new Failure('CANCELLED', 'the image is not fetched now'));
    };
    signal.addEventListener('abort', stop);
    try {
      // `fromImage` with a digest: a tag could be moved while it is fetched.
      stream = (await docker.createImage(auth ?? undefined, {
        ...{ fromImage: nameOf(source), abortSignal: signal },
      })) as Readable;
      if (signal.aborted) stop();
      await follow(stream, (line) => {
        error ??= errorIn(line);
        if (meter.heard(line)) onProgress(meter.progress());
      });
    } catch (thrown) {
      if (signal.aborted) fail('CANCELLED', 'the image is not fetched now');
      if (isFailure(thrown)) throw thrown;
      // An answer with a status is the registry's refusal, passed on; anything else is an engine that went.
      throw statusOf(thrown) === null ? engineLost(thrown) : pullFailure(asFailure(thrown).message);
    } finally {
      signal.removeEventListener('abort', stop);
      stream?.destroy();
    }
    if (signal.aborted) fail('CANCELLED', 'the image is not fetched now');
    if (error !== null) throw pullFailure(error);
    onProgress(meter.ended(source.bytes));
  }

  /** Which content the engine held before: what was there is not removed, whatever its name has become. */
  const contents = async (): Promise<ReadonlySet<string>> => {
    const list = await within(answerMs, docker.listImages({ all: true })).catch(engineFailure);
    return new Set(list.map(({ Id }) => Id));
  };

  return {
    find: async (name) => {
      const found = await inspect(name);
      return found === null ? null : { id: found.id, names: found.names, bytes: found.bytes };
    },
    remove,
    async pull(source, ids, how) {
      const name = nameOf(source);
      const before = await contents();
      const auth = await credentials(registryOf(source.repository));
      await fetch(source, how, auth);
      const found = await inspect(name);
      if (found === null) return fail('REGISTRY_AWAY', `the engine says it fetched ${name}, and has it not`);
      const why = wrong(found, source, ids);
      if (why === null) return { id: found.id, names: found.names, bytes: found.bytes };
      log('error', 'image-refused', { image: name, detail: why });
      if (!before.has(found.id)) await remove(source).catch(() => undefined);
      return fail('REFUSED', why, { image: name });
    },
  };
}

/** Why what came may not run; null: it may. */
function wrong(
  found: HeldImage & { readonly config: ImageConfig },
  source: PullSource,
  ids: readonly string[],
): string | null {
  if (!ids.includes(found.id)) return `${nameOf(source)} holds ${found.id}, and the catalogue names ${ids[0] ?? ''}`;
  if (!found.names.some((name) => familiar(name) === familiar(nameOf(source)))) {
    return `the engine does not know it as ${nameOf(source)}`;
  }
  const faults = imageFaults(found.config);
  return faults.length === 0 ? null : faults.map(faultText).join('; ');
}

const engineLost = (error: unknown): Failure =>
  new Failure('ENGINE_AWAY', asFailure(error).message.slice(0, 300), {}, error);

/** Ends a stream that says nothing for too long. */
function silence(ms: number, stream: Readable): { readonly heard: () => void; readonly end: () => void } {
  const late = (): void => {
    stream.destroy(new Failure('REGISTRY_AWAY', `nothing came for ${Math.round(ms / 1000)} s`));
  };
  let timer = setTimeout(late, ms);
  const end = (): void => clearTimeout(timer);
  return {
    end,
    heard() {
      end();
      timer = setTimeout(late, ms);
    },
  };
}

function parsed(line: string): unknown {
  if (line.trim() === '') return null;
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
