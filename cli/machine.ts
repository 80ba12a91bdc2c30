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
import type { ImageRecord, Images } from '../agent/image-ports.ts';
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
export async function onThisMachine<T>({ dataDir, ...rest }: Here, work: (machine: Machine) => Promise<T>): Promise<T> {
  const settings = await settingsIn(dataDir);
  const { close, ...opened } = openEngine({ ...rest, settings, device: DOCTOR });
  try {
    await tidy(opened);
    return await work({ ...opened, settings });
  } finally {
    close();
  }
}

type Opened = {
  readonly containers: Containers;
  readonly engine: EngineWatch;
  readonly images: Images;
};

/** The engine of this machine, looked at as an agent looks at it, for containers that bear this device's label. */
export function openEngine(options: {
  readonly catalogue: Catalogue;
  readonly log: Logger;
  readonly settings: Settings;
  readonly device: Address;
  /** Instead of wherever an engine may be. */
  readonly socketPath?: string;
}): Opened & { readonly close: () => void } {
  const { catalogue, log, settings, device, socketPath } = options;
  const docker = connect();
  const place = socketPath === undefined ? {} : { socketPath };
  const containers = dockerContainers({ log, docker, ...place, allowRemote: () => settings.engine.allowRemote });
  const engineImages = dockerImages({ log, docker });
  const shared = {
    ...{ clock: systemClock, log, containers },
    settings: { current: () => ({ kind: 'ok', settings }) as const },
  };
  const common = { catalogue: () => catalogue, wake: () => undefined };
  // It looks and fetches nothing: that is the agent's.
  const images = createImageKeeper({
    ports: { ...shared, random: systemRandom, images: engineImages, traffic: UNCOUNTED, imageRecord: NOTHING },
    ...{ ...common, inUse: () => [], changed: () => undefined },
  });
  const engine = createEngineWatch({ ports: shared, ...{ ...common, images, device } });
  const close = (): void => {
    engine.close();
    containers.close();
  };
  return { containers, engine, images: engineImages, close };
}

/** Removes what an earlier process of this kind left when it was killed. One that still runs has somebody at its door. */
export async function tidy({ engine, containers }: Pick<Opened, 'engine' | 'containers'>): Promise<void> {
  const left = await engine.look();
  const ended = left.filter(({ state }) => state === 'exited' || state === 'created');
  await Promise.all(ended.map(({ id }) => containers.remove(id)));
}

/** The settings in a data directory, or the defaults; nothing is written. Throws SETTINGS_BROKEN. */
export async function settingsIn(dataDir: string): Promise<Settings> {
  const path = join(dataDir, 'settings.json');
  const text = await readIfThere(path);
  if (text === null) return defaultSettings();
  try {
    return parseSettings(JSON.parse(text));
  } catch (error) {
    return fail('SETTINGS_BROKEN', `${path} cannot be read: ${asFailure(error).message}; correct it`, {}, error);
  }
}
