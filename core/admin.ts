import { z } from 'zod';
import { fail } from './errors.ts';
import { address, hex32, unixMs } from './primitives.ts';
import { signed } from './wire.ts';

/** What those who run a network may order, each order signed by one of them and kept for ever. */
export const ADMIN_ACTIONS = ['disable', 'disable-now', 'enable', 'ban', 'unban', 'refund', 'recount'] as const;
export type AdminAction = (typeof ADMIN_ACTIONS)[number];

/** `subject`: a workload and its version, an address, a job, or nothing, by the action. `why` is for everybody to read. */
export const adminOrder = z.strictObject({
  admin: address,
  networkId: hex32,
  action: z.enum(ADMIN_ACTIONS),
  subject: z.string().max(200),
  why: z.string().min(1).max(300),
  issuedAt: unixMs,
});
export type AdminOrder = z.output<typeof adminOrder>;
export const adminRequest = signed(adminOrder);

/** An order that was carried out; the same order again answers the same. */
export const adminAnswer = z.strictObject({
  id: hex32,
  action: z.enum(ADMIN_ACTIONS),
  subject: z.string(),
  why: z.string(),
  at: unixMs,
  /** What came of it: amounts in base units. */
  result: z.record(z.string(), z.string()),
});
export type AdminAnswer = z.output<typeof adminAnswer>;

/** As everybody may see it: jobs and people are not named. */
export const shownAction = z.strictObject({
  admin: address,
  action: z.enum(ADMIN_ACTIONS),
  /** A workload and its version; null: it is about a job or a person. */
  subject: z.string().nullable(),
  why: z.string(),
  at: unixMs,
});
export type ShownAction = z.output<typeof shownAction>;
export const shownActions = z.strictObject({ actions: z.array(shownAction).max(100) });

export type WorkloadVersion = { readonly workload: string; readonly version: string };
export const versionText = ({ workload, version }: WorkloadVersion): string => `${workload}@${version}`;

/** Reads `workload@version`. Throws BAD_INPUT. */
export function readVersion(subject: string): WorkloadVersion {
  const [, workload, version] = /^([^@\s]{1,64})@([^@\s]{1,32})$/.exec(subject) ?? [];
  if (workload === undefined || version === undefined) fail('BAD_INPUT', `"${subject}" is not WORKLOAD@VERSION`);
  return { workload, version };
}
