import type Docker from 'dockerode';
import type { Belonging } from '../../core/leftovers.ts';
import { LABEL } from '../../core/sandbox.ts';
import type { Premises } from '../image-ports.ts';
import { engineClient } from './docker-check.ts';
import { engineFailure, statusOf, within } from './docker-connection.ts';

const ANSWER_TIMEOUT_MS = 20_000;

type Listed = {
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly CreatedAt?: string;
  readonly Created?: string;
};
const timeOf = (text: string | undefined): number => Date.parse(text ?? '') || 0;

/** Everything on the engine that bears our label. `docker`: the connection of `dockerContainers`, which finds the engine. */
export function dockerPremises(
  options: { readonly socketPath?: string; readonly answerMs?: number; readonly docker?: Docker } = {},
): Premises {
  const { answerMs = ANSWER_TIMEOUT_MS } = options;
  const docker = options.docker ?? engineClient(options);
  const answered = <T>(answer: Promise<T>): Promise<T> => within(answerMs, answer).catch(engineFailure);
  const label = [LABEL.device];

  async function containers(): Promise<readonly Belonging[]> {
    const found = await answered(docker.listContainers({ all: true, filters: { label } }));
    return found.map(({ Id, Labels, Created }) => ({
      ...{ kind: 'container', id: Id, labels: Labels, createdAt: Created * 1000, used: true },
    }));
  }
  /** Unused ones alone are listed: whether one is used, the engine says only so. */
  async function volumes(): Promise<readonly Belonging[]> {
    const { Volumes: found } = await answered(docker.listVolumes({ filters: { label, dangling: ['true'] } }));
    return (found ?? []).map((volume) => ({
      ...{ kind: 'volume', id: volume.Name, labels: volume.Labels ?? {}, used: false },
      createdAt: timeOf((volume as Listed).CreatedAt),
    }));
  }
  async function networks(): Promise<readonly Belonging[]> {
    const found = await answered(docker.listNetworks({ filters: { label, dangling: ['true'] } }));
    return found.map((network) => ({
      ...{ kind: 'network', id: network.Id, labels: network.Labels ?? {}, used: false },
      createdAt: timeOf(network.Created),
    }));
  }

  return {
    list: async () => (await Promise.all([containers(), volumes(), networks()])).flat(),
    async remove({ kind, id }) {
      try {
        if (kind === 'container') await within(answerMs, docker.getContainer(id).remove({ force: true, v: true }));
        // No force: one that is used after all stays.
        else if (kind === 'volume') await within(answerMs, docker.getVolume(id).remove());
        else await within(answerMs, docker.getNetwork(id).remove());
      } catch (error) {
        // 404: gone. 403 and 409: used, or on its way out.
        if (![403, 404, 409].includes(statusOf(error) ?? 0)) engineFailure(error);
      }
    },
  };
}
