import type { z } from 'zod';

/**
 * Who may ask. `read` and `submit`: the consumer with an access token, or a key with this right; `account`: with an access token
 * alone; `bearer`: also a device; `optional`: what the caller may do is judged by what is asked.
 */
export type Auth = 'none' | 'optional' | 'bearer' | 'read' | 'submit' | 'account';

type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
/** `bytes`: a blob; `none`: no body; `document`: JSON that another standard describes; `page`: HTML for people. */
type AnswerKind = z.ZodType | 'bytes' | 'none' | 'document' | 'csv' | 'page';
type More = {
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** The body that is sent is a blob. */
  readonly upload?: true;
  /** Of a body of JSON, where it may be longer than others. */
  readonly mostBytes?: number;
};

export type Endpoint = More & {
  readonly method: Method;
  /** `:name` stands for one of `params`. */
  readonly path: string;
  readonly summary: string;
  readonly auth: Auth;
  readonly status: number;
  readonly answer: AnswerKind;
};

/** One line of the table; its answer and its parts keep their types. */
export const row = <M extends Method, A extends Auth, R extends AnswerKind, X extends More>(
  [method, path, status]: readonly [M, string, number],
  auth: A,
  summary: string,
  answer: R,
  more: X,
) => ({ method, path, summary, auth, status, answer, ...more });
