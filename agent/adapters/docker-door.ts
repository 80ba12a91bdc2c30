import { createHash } from 'node:crypto';
import type Docker from 'dockerode';
import { fail, isFailure } from '../../core/errors.ts';
import type { Address } from '../../core/primitives.ts';
import { type Door, LABEL } from '../../core/sandbox.ts';
import { engineFailure, statusOf, within } from './docker-connection.ts';

/** In the image, and in the volume that is made of it. */
const FOLDER = '/door';
const FILE = `${FOLDER}/door`;
const CONFLICT = 409;
const MAX_FILE_BYTES = 16 * 1024 * 1024;
/** Volumes that are tried before giving up: one that holds something else may be held by a container that cannot be removed. */
const MAX_VOLUMES = 8;
/** A header of the archive (POSIX.1-1988 tar): the size is at 124, eleven octal digits. */
const HEADER_BYTES = 512;
const SIZE = { from: 124, to: 135 } as const;

/** Hash of the one file of an archive. */
async function hashIn(archive: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of archive) {
    bytes += part.length;
    if (bytes > MAX_FILE_BYTES) fail('REFUSED', 'the door is larger than any door');
    parts.push(part);
  }
  const all = Buffer.concat(parts);
  const size = Number.parseInt(all.toString('latin1', SIZE.from, SIZE.to), 8);
  return createHash('sha256')
    .update(all.subarray(HEADER_BYTES, HEADER_BYTES + size))
    .digest('hex');
}

/**
 * Puts the first process of every container (workloads/door) where containers can have it: on a volume, which the engine fills from the door's
 * image when a container is made with it while it is empty. A volume that holds anything else is made anew, and left for another
 * where a container holds it.
 */
export function dockerDoors(docker: Docker, answerMs: number) {
  const answered = <T>(answer: Promise<T>): Promise<T> => within(answerMs, answer).catch(engineFailure);
  /** Volumes that were looked into since this process began, by the door's image; several launches at once look once. */
  const checked = new Map<string, Promise<string>>();

  /** Hash of the door in a container that is made and never started: of its image, or of the volume that covers it. */
  async function doorIn(image: string, device: Address, volume: string | null): Promise<string> {
    const labels = { [LABEL.role]: 'door' };
    const options = { NoCopy: false, Labels: labels, DriverConfig: { Name: 'local', Options: {} } };
    const mount = { Type: 'volume', Target: FOLDER, VolumeOptions: options } as const;
    const host = { NetworkMode: 'none', Mounts: volume === null ? [] : [{ ...mount, Source: volume }] };
    const body = {
      Image: image,
      Labels: { ...labels, [LABEL.device]: device },
      NetworkDisabled: true,
      HostConfig: host,
    };
    const made = await answered(docker.createContainer(body));
    try {
      return await hashIn((await answered(made.getArchive({ path: FILE }))) as AsyncIterable<Uint8Array>);
    } finally {
      await answered(made.remove({ force: true })).catch(() => undefined);
    }
  }

  /** Whether the volume holds the door. False too where it holds no file of that name. */
  async function holds(volume: string, wanted: string, image: string, device: Address): Promise<boolean> {
    try {
      return (await doorIn(image, device, volume)) === wanted;
    } catch (error) {
      if (isFailure(error, 'REFUSED')) return false;
      throw error;
    }
  }

  async function remove(volume: string): Promise<'removed' | 'in-use'> {
    try {
      await within(answerMs, docker.getVolume(volume).remove());
      return 'removed';
    } catch (error) {
      return statusOf(error) === CONFLICT ? 'in-use' : engineFailure(error);
    }
  }

  /** The volume that holds the door of `image`, by its name. */
  async function filled(image: string, device: Address): Promise<string> {
    // One for all devices that share an engine: each looks into it before it relies on it.
    const name = `idlemesh-door-${image.slice('sha256:'.length).slice(0, 16)}`;
    const wanted = await doorIn(image, device, null);
    for (let turn = 0; turn < MAX_VOLUMES; turn++) {
      const volume = turn === 0 ? name : `${name}-${turn}`;
      if (await holds(volume, wanted, image, device)) return volume;
      if ((await remove(volume)) === 'removed' && (await holds(volume, wanted, image, device))) return volume;
    }
    return fail('REFUSED', `containers hold every volume ${name} that is not what it was made of: remove them`);
  }

  async function exists(volume: string): Promise<boolean> {
    try {
      await within(answerMs, docker.getVolume(volume).inspect());
      return true;
    } catch (error) {
      return statusOf(error) === 404 ? false : engineFailure(error);
    }
  }

  async function programOf(image: string): Promise<readonly string[]> {
    const { Config } = await answered(docker.getImage(image).inspect());
    const program = [Config.Entrypoint ?? [], Config.Cmd ?? []].flat();
    return program.length > 0 ? program : fail('REFUSED', 'the image names no program');
  }

  async function volumeOf(doorImage: string, device: Address): Promise<string> {
    if (doorImage === '') fail('REFUSED', 'the catalogue has no door, and nothing runs without one');
    const known = checked.get(doorImage);
    try {
      if (known && !(await exists(await known)) && checked.get(doorImage) === known) checked.delete(doorImage);
      const volume = checked.get(doorImage) ?? filled(doorImage, device);
      checked.set(doorImage, volume);
      return await volume;
    } catch (error) {
      checked.delete(doorImage);
      if (isFailure(error, 'REFUSED')) fail('REFUSED', `the door cannot be made: ${error.message}`, {}, error);
      throw error;
    }
  }

  /** The door for a launch of `image`. Throws ENGINE_AWAY, and REFUSED when the door's own image is not there. */
  return async (image: string, doorImage: string, device: Address): Promise<Door> => {
    const volume = await volumeOf(doorImage, device);
    return { volume, program: await programOf(image) };
  };
}
