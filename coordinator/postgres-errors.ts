import { DatabaseError } from 'pg';
import { z } from 'zod';
import { Failure } from '../core/errors.ts';

/**
 * The other one won: run again it will see what that one wrote. A serialisation failure, a deadlock, a row that appeared
 * between the look for it and the writing of it, and a prepared statement whose table was changed by a migration.
 */
const AGAIN: ReadonlySet<string> = new Set(['40001', '40P01', '23505', '0A000']);
/** Going down, not up yet, or full. Class 08 is a broken connection. */
const AWAY: ReadonlySet<string> = new Set(['57P01', '57P02', '57P03', '53300', '25P03']);
/** Of the operating system: nobody listens, no socket file, no such host, cut off. */
const SYSTEM: ReadonlySet<string> = new Set(
  'ECONNREFUSED ECONNRESET ENOENT ENOTFOUND EAI_AGAIN EPIPE ETIMEDOUT EHOSTUNREACH ENETUNREACH EHOSTDOWN'.split(' '),
);
/** What the client says of itself, which has no code. */
const CLIENT =
  /connection terminated|connection timeout|timeout exceeded|not queryable|after calling end|connection ended/i;

const coded = z.object({ code: z.string() });

const codeOf = (error: unknown): string => (error instanceof DatabaseError ? (error.code ?? '') : '');

/** The connection holds the plan of a statement whose table a migration has changed since. */
export const hasOldPlan = (error: unknown): boolean => codeOf(error) === '0A000';
export const mayRunAgain = (error: unknown): boolean => AGAIN.has(codeOf(error));

export function isAway(error: unknown): boolean {
  if (error instanceof DatabaseError) return AWAY.has(codeOf(error)) || codeOf(error).startsWith('08');
  if (!(error instanceof Error) || error instanceof Failure) return false;
  const code = coded.safeParse(error);
  return code.success ? SYSTEM.has(code.data.code) : CLIENT.test(error.message);
}

/** What the database said, with a code. `mask` takes secrets out of its words. */
export function translated(error: unknown, mask: (text: string) => string): unknown {
  if (error instanceof Failure || !(error instanceof Error)) return error;
  if (isAway(error)) {
    return new Failure('DATABASE_AWAY', `the database does not answer: ${mask(error.message).slice(0, 200)}`);
  }
  if (!(error instanceof DatabaseError)) return error;
  const message = mask(error.message);
  if (error.code === '57014') return new Failure('TIMEOUT', `the database took too long: ${message}`, {}, error);
  if (error.code === '53100') return new Failure('DISK_FULL', 'the database has no space left', {}, error);
  return new Failure('INTERNAL', message, { sqlState: error.code ?? null }, error);
}
