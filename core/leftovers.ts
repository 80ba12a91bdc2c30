import type { Address, Hex32, UnixMs } from './primitives.ts';
import { LABEL } from './sandbox.ts';
import { STORE_ROLE } from './stores.ts';

/** Something on the engine that bears a label of ours, or claims to. */
export type Belonging = {
  readonly kind: 'container' | 'volume' | 'network';
  /** Of a volume its name. */
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: UnixMs;
  /** Of volumes and networks: a container has it, whatever its state. */
  readonly used: boolean;
};

/**
 * Whether the agent behind a home still lives: its lock is held, or not (any more), or that cannot be told from here, as of
 * another machine that uses the same engine.
 */
export type Life = 'alive' | 'dead' | 'unknown';

type Janitor = {
  readonly device: Address;
  /** Of this process. */
  readonly instance: string;
  readonly now: UnixMs;
  /** Leases in hand here. */
  readonly leases: ReadonlySet<Hex32>;
  readonly lives: (home: string) => Life;
};

/** What serves a job is made before its lease is active, and for a moment belongs to nothing. */
const GRACE_MS = 10 * 60_000;

/**
 * What nobody needs any more. The containers of this device's jobs are `reconcile`'s: it sees them every round. Of this
 * device, whose data folder only one process holds: what another process left, and what serves no lease in hand. Of another
 * device: everything, once its agent is known to be dead. What has no complete name of ours stays, whoever made it.
 */
export function leftovers(things: readonly Belonging[], janitor: Janitor): readonly Belonging[] {
  return things.filter((thing) => {
    const device = thing.labels[LABEL.device] ?? '';
    if (!/^0x[0-9a-f]{40}$/i.test(device)) return false;
    // Other people's data: it goes when its owner says so.
    if (thing.labels[LABEL.role] === STORE_ROLE) return false;
    if (thing.kind !== 'container' && thing.used) return false;
    return device.toLowerCase() === janitor.device.toLowerCase() ? idle(thing, janitor) : orphaned(thing, janitor);
  });
}

function idle({ kind, labels, createdAt }: Belonging, { instance, now, leases }: Janitor): boolean {
  if (kind === 'container' && (labels[LABEL.role] ?? 'workload') === 'workload') return false;
  const maker = labels[LABEL.instance];
  if (maker !== undefined && maker !== instance) return true;
  const lease = labels[LABEL.lease];
  return now - createdAt > GRACE_MS && (lease === undefined || !leases.has(lease as Hex32));
}

function orphaned({ labels }: Belonging, { lives }: Janitor): boolean {
  const home = labels[LABEL.home];
  return home !== undefined && lives(home) === 'dead';
}
