import { createHash } from 'node:crypto';
import type Docker from 'dockerode';
import { fail, isFailure } from '../../core/errors.ts';
import type { Address } from '../../core/primitives.ts';
import { type Door, LABEL } from '../../core/sandbox.ts';
import { engineFailure, statusOf, within } from './docker-connection.ts';

/** In the image, and in the volume that is made of it. */
const FOLDER = '/door';
const FILE = `${FOLDER}/door`;
const MAX_FILE_BYTES = 16 * 1024 * 1024;
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
 * image when a container is made with it while it is empty. A volume that holds anything else is made anew.
 */
export function dockerDoors(docker: Docker, answerMs: number) {
  const answered = <T>(answer: Promise<T>): Promise<T> => within(answerMs, answer).catch(engineFailure);
  /** Volumes that were looked into since this process began; several launches at once look once. */
  const checked = new Map<string, Promise<void>>();

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

  async function fill(volume: string, image: string, device: Address): Promise<void> {
    const wanted = await doorIn(image, device, null);
    if ((await doorIn(image, device, volume).catch(() => null)) === wanted) return;
    await answered(docker.getVolume(volume).remove());
    if ((await doorIn(image, device, volume)) !== wanted)
      fail('REFUSED', `the volume ${volume} is not what it was made of`);
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

  /** The door for a launch of `image`. Throws ENGINE_AWAY, and REFUSED when the door's own image is not there. */
  return async (image: string, doorImage: string, device: Address): Promise<Door> => {
    if (doorImage === '') fail('REFUSED', 'the catalogue has no door, and nothing runs without one');
    // One for all devices that share an engine: each looks into it before it relies on it.
    const volume = `idlemesh-door-${doorImage.slice('sha256:'.length).slice(0, 16)}`;
    if (!(await exists(volume))) checked.delete(volume);
    const filled = checked.get(volume) ?? fill(volume, doorImage, device);
    checked.set(volume, filled);
    try {
      await filled;
    } catch (error) {
      checked.delete(volume);
      if (isFailure(error, 'REFUSED')) fail('REFUSED', `the door cannot be made: ${error.message}`, {}, error);
      throw error;
    }
    return { volume, program: await programOf(image) };
  };
}
