import Docker from 'dockerode';
import { LABEL } from '../../../core/sandbox.ts';

export const ENGINE_SOCKET = process.env['DOCKER_HOST']?.replace(/^unix:\/\//, '') ?? '/var/run/docker.sock';

/** The engine itself, past everything of ours. */
export const engine = new Docker({ socketPath: ENGINE_SOCKET });

export type SeenContainer = { readonly id: string; readonly lease: string; readonly state: string };

/** What the engine really holds for a device. */
export async function containersOf(device: string): Promise<readonly SeenContainer[]> {
  const found = await engine.listContainers({ all: true, filters: { label: [`${LABEL.device}=${device}`] } });
  return found.map(({ Id, Labels, State }) => ({ id: Id, lease: Labels[LABEL.lease] ?? '', state: State }));
}
