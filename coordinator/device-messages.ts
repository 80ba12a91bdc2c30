import { plainText } from '../core/plain-text.ts';
import type { Hex32 } from '../core/primitives.ts';
import { reportHash } from '../core/typed-data.ts';
import { type DeviceMessage, deviceMessage } from '../core/wire.ts';
import { type Loss, workloadKey } from './verify.ts';

/** What a decline says of the device; the rest tell of an owner who came back. */
const UNABLE: ReadonlySet<string> = new Set(['too-large', 'unknown-workload', 'image-missing']);
export const lossOf = (reason: string): Loss =>
  reason === 'failed' ? 'attempt' : UNABLE.has(reason) ? 'unable' : 'excused';

/** A stranger's words, for the consumer's terminal; a database may refuse some characters, too. */
export function whyDeclined(said: { readonly reason: string; readonly detail: string }): string {
  const detail = plainText(said.detail);
  return detail === '' ? said.reason : `${said.reason}: ${detail}`;
}

export const keysOf = (workloads: readonly { readonly id: string; readonly image: string }[]): ReadonlySet<string> =>
  new Set(workloads.map(({ id, image }) => workloadKey(id, image)));

export function parse(text: string): DeviceMessage | null {
  try {
    return deviceMessage.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** The lease or report that a message is about. */
export function subjectOf(message: DeviceMessage): Hex32 | null {
  if (message.type === 'result') return message.value.leaseId;
  if (message.type === 'report') return reportHash(message.value);
  return 'leaseId' in message ? message.leaseId : null;
}
