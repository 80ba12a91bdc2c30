import { readFileSync } from 'node:fs';
import { checkpointsIn } from '../../agent/checkpoints.ts';
import type { Hex32 } from '../../core/primitives.ts';
import { ENTRY, World } from '../fakes/world.ts';

/** A world whose one kind of work hands out checkpoints, and finishes only when told. */
export function checkpointWorld(): World {
  const world = World.held();
  world.entry = { ...ENTRY, checkpoint: true };
  return world;
}

/** The one container there is. */
export const onlyContainer = (world: World): string => world.containers.jobs()[0]?.id ?? 'none';

/** What is on the disk of a lease's checkpoints, as text. */
export const keptText = (world: World, leaseId: Hex32): string =>
  readFileSync(checkpointsIn(world.workspace.of(leaseId)), 'utf8');
