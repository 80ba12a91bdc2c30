import { z } from 'zod';
import { fromUtf8, parseJson } from '../core/dsse.ts';
import { fail } from '../core/errors.ts';
import type { UnixMs } from '../core/primitives.ts';
import { strictRelease } from '../core/release.ts';

/** What a release holds but for its number and times. */
const content = z.object({ minimums: z.array(z.unknown()), entries: z.array(z.unknown()) });
export type ReleaseContent = z.output<typeof content>;

/** Throws BAD_INPUT. */
export function readContent(text: string): ReleaseContent {
  const read = content.safeParse(parseJson(text));
  return read.success ? read.data : fail('BAD_INPUT', 'expected JSON with "minimums" and "entries"');
}

/** The bytes to be signed. Throws BAD_INPUT naming the row that is wrong. */
export function draft(what: ReleaseContent, version: number, now: UnixMs, days: number): Uint8Array {
  const issuedAt = Math.floor(now / 1000);
  const times = { format: 1, version, issuedAt, expiresAt: issuedAt + days * 86_400 };
  const bytes = Buffer.from(JSON.stringify({ ...times, minimums: what.minimums, entries: what.entries }));
  checkDraft(bytes);
  return bytes;
}

/** What would be signed, once it is known to be a whole release. Throws BAD_INPUT naming the row that is wrong. */
export function checkDraft(payload: Uint8Array): z.output<typeof strictRelease> {
  const read = strictRelease.safeParse(parseJson(fromUtf8(payload) ?? ''));
  if (read.success) return read.data;
  const issue = read.error.issues[0];
  return fail('BAD_INPUT', `the release is not valid: ${issue?.path.join('.')}: ${issue?.message}`);
}
