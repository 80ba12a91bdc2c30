import { z } from 'zod';
import { type Address, address, type Hex32, type UnixMs } from '../core/primitives.ts';
import type { Context } from './context.ts';
import { integerColumn } from './db.ts';
import { findJob, leaseMessage } from './jobs.ts';
import { heldByAny, type LeaseRow, leasesNamed } from './leases.ts';
import { piecesOf } from './replica.ts';
import { newsOf } from './results.ts';
import type { Session } from './session.ts';

/** Leases that are asked for in one statement. */
const AT_ONCE = 5_000;
/** What is younger may be on its way. */
const SETTLED_MS = 5_000;

type Here = Pick<Context, 'db' | 'options'>;
type SessionOf = (device: Address) => Session | undefined;

/** Tells the devices that are connected here what has become of these leases, and hands out those they do not know of. */
export async function catchUp({ db, options }: Here, sessionOf: SessionOf, leaseIds: readonly Hex32[]): Promise<void> {
  for (const some of piecesOf(leaseIds, AT_ONCE)) {
    for (const lease of await leasesNamed(db, some)) {
      const session = sessionOf(lease.device);
      if (session?.welcomed === true) await tell({ db, options }, session, lease);
    }
  }
}

async function tell({ db }: Here, session: Session, lease: LeaseRow): Promise<void> {
  const { lease_id: leaseId, state } = lease;
  const { awaited } = session;
  if (state === 'held') {
    const job = awaited.has(leaseId) ? null : await findJob(db, lease.job_id);
    if (job === null) return;
    session.reserve(leaseId, job.lane);
    session.lease([{ message: leaseMessage(job, leaseId, lease.deadline), sole: null }]);
  } else if (awaited.has(leaseId) && !(state === 'finished' && awaited.isStored(leaseId))) {
    for (const message of await newsOf(db, lease)) session.send(message);
  }
}

/**
 * Looks into the books for everything that should have been told to who is connected here, and was not: the replica that had to
 * may have died, or was not heard.
 */
export async function lookAgain(here: Here, sessions: ReadonlyMap<Address, Session>, now: UnixMs): Promise<void> {
  const { db } = here;
  for (const devices of piecesOf([...sessions.keys()], AT_ONCE)) {
    const rows = await db.query(
      z.object({ device: address, session: integerColumn }),
      'SELECT device, session FROM devices WHERE device = ANY ($1::text[])',
      [devices],
    );
    for (const { device, session } of rows) sessions.get(device)?.endIfOlderThan(session);
    const held = await heldByAny(db, devices, now - SETTLED_MS);
    await catchUp(here, (device) => sessions.get(device), held);
  }
  const awaited = [...sessions.values()].flatMap((session) => session.awaited.since(now - SETTLED_MS));
  await catchUp(here, (device) => sessions.get(device), awaited);
}
