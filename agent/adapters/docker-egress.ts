import { networkInterfaces } from 'node:os';
import type Docker from 'dockerode';
import { LABEL } from '../../core/sandbox.ts';
import type { EgressEngine } from '../ports.ts';
import { engineFailure, statusOf, within } from './docker-connection.ts';

type Removable = { readonly remove: (options?: { readonly force: true }) => Promise<unknown> };

/** Volumes and networks for gateways, through the engine's API alone: it works alike where the engine has a machine of its own. */
export function dockerEgress(docker: Docker, answerMs: number): EgressEngine {
  const answered = <T>(answer: Promise<T>): Promise<T> => within(answerMs, answer).catch(engineFailure);
  /** In use by this process, or being made. */
  const live = new Set<string>();

  const remove = async (thing: Removable, options?: { readonly force: true }): Promise<void> => {
    try {
      await within(answerMs, thing.remove(options));
    } catch (error) {
      if (statusOf(error) !== 404) engineFailure(error);
    }
  };

  /** The one does not keep the other: what is left is removed another time. */
  async function both(name: string): Promise<void> {
    const removals = [remove(docker.getNetwork(name)), remove(docker.getVolume(name), { force: true })];
    const failed = (await Promise.allSettled(removals)).find((removal) => removal.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  return {
    ranges: () =>
      Object.values(networkInterfaces())
        .flatMap((addresses) => addresses ?? [])
        .flatMap(({ address, cidr }) => cidr ?? address),
    async open(volume, network) {
      live.add(volume.Name);
      // Of an earlier run whose end the engine did not take.
      await both(volume.Name);
      await answered(docker.createVolume({ ...volume, DriverOpts: { ...volume.DriverOpts } }));
      await answered(docker.createNetwork({ ...network, Options: { ...network.Options } }));
    },
    async close(name) {
      live.delete(name);
      await both(name);
    },
    async sweep(device) {
      const filters = { label: [`${LABEL.device}=${device}`, `${LABEL.role}=gateway`] };
      const [containers, networks, { Volumes: volumes }] = await Promise.all([
        answered(docker.listContainers({ all: true, filters })),
        answered(docker.listNetworks({ filters })),
        answered(docker.listVolumes({ filters: JSON.stringify(filters) })),
      ]);
      const orphans = containers.filter(({ HostConfig }) => !live.has(HostConfig.NetworkMode ?? ''));
      await Promise.all(orphans.map(({ Id }) => remove(docker.getContainer(Id), { force: true })));
      const names = new Set([...networks, ...(volumes ?? [])].map(({ Name }) => Name));
      for (const name of names) if (!live.has(name)) await both(name);
    },
  };
}
