/**
 * Failures have a code a program can act on and a message a person can act on.
 * Expected outcomes are return values; what is thrown is a `Failure` or a bug.
 */
export const ERROR_CODES = [
  'BAD_INPUT',
  'UNAUTHORISED',
  'NOT_FOUND',
  'CONFLICT',
  'REFUSED',
  'TOO_MANY',
  'INSUFFICIENT_FUNDS',
  'ENGINE_AWAY',
  'COORDINATOR_AWAY',
  'CHAIN_AWAY',
  'DATABASE_AWAY',
  'REGISTRY_AWAY',
  'DISK_FULL',
  'SETTINGS_BROKEN',
  'VAULT_UNREADABLE',
  'TIMEOUT',
  'CANCELLED',
  'WORKLOAD_FAILED',
  'INTERNAL',
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

export type FailureInfo = Readonly<Record<string, string | number | boolean | null>>;

/** An error whose `code` is part of the contract. `info` never holds a secret: it is logged and sent. */
export class Failure extends Error {
  readonly code: ErrorCode;
  readonly info: FailureInfo;

  constructor(code: ErrorCode, message: string, info: FailureInfo = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'Failure';
    this.code = code;
    this.info = info;
  }
}

/** The one place that throws a coded failure. The message says what to do. */
export function fail(code: ErrorCode, message: string, info: FailureInfo = {}, cause?: unknown): never {
  throw new Failure(code, message, info, cause);
}

export function isFailure(error: unknown, code?: ErrorCode): error is Failure {
  return error instanceof Failure && (code === undefined || error.code === code);
}

/** Any thrown value as a `Failure`; what was not one becomes INTERNAL with its message kept. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure('INTERNAL', error instanceof Error ? error.message : describe(error), {}, error);
}

/** Even what refuses to become text must not throw while it is being reported. */
function describe(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return `an ${typeof thrown} without a description`;
  }
}

/** A failure as plain data, for IPC and HTTP; `cause` and stack stay behind. */
export type WireFailure = { readonly code: ErrorCode; readonly message: string };

export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: WireFailure };

export const succeeded = <T>(value: T): Outcome<T> => ({ ok: true, value });

export function failed<T>(error: unknown): Outcome<T> {
  const { code, message } = asFailure(error);
  return { ok: false, failure: { code, message } };
}

/** Closes a `switch` over a union: a new member does not compile until it is handled. */
export function unreachable(value: never): never {
  throw new Failure('INTERNAL', `unhandled case: ${JSON.stringify(value)}`);
}
