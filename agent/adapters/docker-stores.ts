import type Docker from 'dockerode';
import { fail } from '../../core/errors.ts';
import { LABEL } from '../../core/sandbox.ts';
import { STORE_ROLE, storeVolume } from '../../core/stores.ts';
import type { Containers } from '../ports.ts';
import { engineFailure, statusOf, within } from './docker-connection.ts';

/** Volumes that outlive containers. */
export function dockerStores(docker: Docker, answerMs: number): Pick<Containers, 'store' | 'dropStore'> {
  const answered = <T>(answer: Promise<T>): Promise<T> => within(answerMs, answer).catch(engineFailure);
  return {
    async store(spec) {
      const wanted = storeVolume(spec);
      // The same again changes nothing, and what is there already answers, whatever it is.
      await answered(docker.createVolume(wanted));
      const { Labels, Options } = await answered(docker.getVolume(spec.name).inspect());
      const ours =
        Labels?.[LABEL.role] === STORE_ROLE &&
        Labels[LABEL.device]?.toLowerCase() === spec.device.toLowerCase() &&
        (Options?.['device'] ?? null) === spec.folder;
      return ours
        ? spec.name
        : fail('REFUSED', `the volume ${spec.name} is not this device's store; rename or remove it`);
    },
    async dropStore(name) {
      try {
        await within(answerMs, docker.getVolume(name).remove());
      } catch (error) {
        if (statusOf(error) === 404) return;
        if (statusOf(error) === 409) fail('CONFLICT', `the volume ${name} is in use`, { name }, error);
        engineFailure(error);
      }
    },
  };
}
