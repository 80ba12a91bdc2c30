import { join } from 'node:path';
import { systemClock } from '../agent/adapters/clock.ts';
import { UNCOUNTED } from '../agent/adapters/coordinator.ts';
import { dockerContainers } from '../agent/adapters/docker.ts';
import { connect } from '../agent/adapters/docker-connection.ts';
import { dockerImages } from '../agent/adapters/docker-images.ts';
import { readIfThere } from '../agent/adapters/files.ts';
import { systemRandom } from '../agent/adapters/random.ts';
import { createEngineWatch, type EngineWatch } from '../agent/engine-watch.ts';
import { createImageKeeper } from '../agent/image-keeper.ts';
import type { ImageRecord } from '../agent/image-ports.ts';
import type { Containers } from '../agent/ports.ts';
import type { Catalogue } from '../core/catalogue.ts';
import { asFailure, fail } from '../core/errors.ts';
import type { Address } from '../core/primitives.ts';
import { defaultSettings, parseSettings, type Settings } from '../core/settings.ts';
import type { Logger } from './log.ts';

/** Bears the labels of no device that could be enrolled: nobody else's janitor minds its containers, nor it theirs. */
export const DOCTOR: Address = '0x000000000000000000000000000000000000d0c7';

const NOTHING: ImageRecord = { load: async () => [], save: async () => undefined };

export type Here = {
  /** Whose settings hold; the app may be running on it. */
  readonly dataDir: string;
  readonly catalogue: Catalogue;
  readonly log: Logger;
};

type Machine = {
  readonly containers: Containers;
  readonly engine: EngineWatch;
  readonly settings: Settings;
};

/** This machine and its engine, without an agent; everything is closed when `work` is done. Throws SETTINGS_BROKEN and what it throws. */
export async function onThisMachine<T>(
  { dataDir, catalogue, log }: Here,
  work: (machine: Machine) => Promise<T>,
): Promise<T> {
  const settings = await settingsIn(dataDir);
  const docker = connect();
  const containers = dockerContainers({ log, docker, allowRemote: () => settings.engine.allowRemote });
  const shared = {
    ...{ clock: systemClock, log, containers },
    settings: { current: () => ({ kind: 'ok', settings }) as const },
  };
  const closing = [containers.close];
  try {
    const common = { catalogue: () => catalogue, wake: () => undefined };
    // It looks and fetches nothing: that is the agent's.
    const images = createImageKeeper({
      ports: {
        ...shared,
        random: systemRandom,
        images: dockerImages({ log, docker }),
        traffic: UNCOUNTED,
        imageRecord: NOTHING,
      },
      ...{ ...common, inUse: () => [], changed: () => undefined },
    });
    const engine = createEngineWatch({ ports: shared, ...{ ...common, images, device: DOCTOR } });
    closing.push(engine.close);
    const left = await engine.look();
    // What an earlier doctor left when it was killed. One that still runs has somebody at its door.
    const ended = left.filter(({ state }) => state === 'exited' || state === 'created');
    await Promise.all(ended.map(({ id }) => containers.remove(id)));
    return await work({ containers, engine, settings });
  } finally {
    for (const close of closing) close();
  }
}

async function settingsIn(dataDir: string): Promise<Settings> {
  const path = join(dataDir, 'settings.json');
  const text = await readIfThere(path);
  if (text === null) return defaultSettings();
  try {
    return parseSettings(JSON.parse(text));
  } catch (error) {
    return fail('SETTINGS_BROKEN', `${path} cannot be read: ${asFailure(error).message}; correct it`, {}, error);
  }
}
