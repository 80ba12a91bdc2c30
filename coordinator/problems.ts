import { z } from 'zod';
import { asFailure, type ErrorCode, Failure, isFailure } from '../core/errors.ts';

/** HTTP errors as problem documents (RFC 9457). */

export const STATUS: Readonly<Record<ErrorCode, number>> = {
  BAD_INPUT: 400,
  UNAUTHORISED: 401,
  INSUFFICIENT_FUNDS: 402,
  NOT_FOUND: 404,
  CONFLICT: 409,
  REFUSED: 422,
  TOO_MANY: 429,
  CANCELLED: 409,
  WORKLOAD_FAILED: 422,
  SETTINGS_BROKEN: 500,
  VAULT_UNREADABLE: 500,
  ENGINE_AWAY: 503,
  COORDINATOR_AWAY: 503,
  CHAIN_AWAY: 503,
  DATABASE_AWAY: 503,
  REGISTRY_AWAY: 503,
  TIMEOUT: 504,
  DISK_FULL: 507,
  INTERNAL: 500,
};

/** docs/errors.md; each code has a heading there. */
const PAGE = 'https://idlemesh.org/docs/errors';

export const typeOf = (code: ErrorCode): string => `${PAGE}#${code.toLowerCase()}`;

export const problem = (code: ErrorCode, status: number, detail: string): string =>
  JSON.stringify({ type: typeOf(code), title: code.toLowerCase().replaceAll('_', ' '), status, code, detail });

/** What may be told of a failure: of one that is ours nothing. */
export const detailOf = ({ code, message }: Failure): string =>
  code === 'INTERNAL' ? 'internal error; try again later' : message;

const httpError = z.object({ statusCode: z.number().int(), message: z.string() });

export function translate(error: unknown): Failure {
  // To who asks, a coordinator without its books is away; where they are is not theirs to know.
  if (isFailure(error, 'DATABASE_AWAY')) {
    const message = 'the books are away for a moment; nothing was changed, try again';
    return new Failure('COORDINATOR_AWAY', message, {}, error);
  }
  if (error instanceof Failure) return error;
  if (error instanceof z.ZodError) return new Failure('BAD_INPUT', z.prettifyError(error), {}, error);
  const known = httpError.safeParse(error);
  if (known.success && known.data.statusCode >= 400 && known.data.statusCode < 500) {
    return new Failure('BAD_INPUT', known.data.message, {}, error);
  }
  return asFailure(error);
}
