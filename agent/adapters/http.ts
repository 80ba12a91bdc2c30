import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { z } from 'zod';
import { asFailure, type ErrorCode, Failure, fail, isFailure } from '../../core/errors.ts';
import { encodeWire, problemDetails } from '../../core/wire.ts';

const SILENCE_MS = 30_000;
const NOT_MODIFIED = 304;
const MAX_JSON_BYTES = 4 * 1024 * 1024;
/** Answers that say "not now" rather than "no". */
const LATER: ReadonlySet<string> = new Set<ErrorCode>([
  'INTERNAL',
  'COORDINATOR_AWAY',
  'TIMEOUT',
  'DISK_FULL',
  'TOO_MANY',
]);

export type Request = {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT';
  readonly token?: string;
  readonly body?: unknown;
  readonly stream?: { readonly from: Readable; readonly bytes: number };
  /** An entity tag: what still has it is not sent again. */
  readonly known?: string;
  /** Of silence; 30 s unless given. */
  readonly timeoutMs?: number;
};

/** One request; the answer's body is a stream. Throws COORDINATOR_AWAY, or the failure that the answer names. */
export async function send(
  url: string,
  { method, token, body, stream, known, timeoutMs = SILENCE_MS }: Request,
): Promise<IncomingMessage> {
  const text = body === undefined ? undefined : Buffer.from(encodeWire(body));
  const length = text?.length ?? stream?.bytes;
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(known === undefined ? {} : { 'if-none-match': known }),
    ...(text ? { 'content-type': 'application/json' } : {}),
    ...(stream ? { 'content-type': 'application/octet-stream' } : {}),
    ...(length === undefined ? {} : { 'content-length': length }),
  };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const start = url.startsWith('https:') ? httpsRequest : httpRequest;
    const outgoing = start(url, { method, headers, timeout: timeoutMs });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer for ${timeoutMs / 1000} s`)));
    outgoing.on('error', (error) => reject(new Failure('COORDINATOR_AWAY', error.message, {}, error)));
    outgoing.on('response', resolve);
    if (stream) pipeline(stream.from, outgoing).catch((error: Error) => outgoing.destroy(error));
    else outgoing.end(text);
  });
  const status = response.statusCode ?? 0;
  if ((status >= 200 && status < 300) || (status === NOT_MODIFIED && known !== undefined)) return response;
  return refuse(status, await readText(response).catch(() => ''));
}

function refuse(status: number, text: string): never {
  const problem = problemDetails.safeParse(parse(text));
  const code = problem.success ? problem.data.code : codeOf(status);
  const detail = problem.success ? problem.data.detail : `the network answered ${status}`;
  return fail(LATER.has(code) ? 'COORDINATOR_AWAY' : code, detail, { status });
}

const codeOf = (status: number): ErrorCode => {
  if (status === 401 || status === 403) return 'UNAUTHORISED';
  if (status === 404) return 'NOT_FOUND';
  return status === 429 || status >= 500 ? 'COORDINATOR_AWAY' : 'REFUSED';
};

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_JSON_BYTES) fail('COORDINATOR_AWAY', 'the answer is too large');
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The text at an address; null: it is the `known` one, or there is none. Throws COORDINATOR_AWAY. */
export async function askText(url: string, known: string | null): Promise<string | null> {
  try {
    const response = await send(url, { method: 'GET', ...(known === null ? {} : { known }) });
    const text = await readText(response);
    return response.statusCode === NOT_MODIFIED ? null : text;
  } catch (error) {
    if (isFailure(error, 'NOT_FOUND')) return null;
    throw error;
  }
}

/** A request whose answer is JSON of a known shape. Throws COORDINATOR_AWAY when it is not. */
export async function ask<T extends z.ZodType>(url: string, request: Request, shape: T): Promise<z.output<T>> {
  const response = await send(url, request);
  const text = await readText(response).catch((error: unknown) =>
    fail('COORDINATOR_AWAY', asFailure(error).message, {}, error),
  );
  const read = shape.safeParse(parse(text));
  return read.success ? read.data : fail('COORDINATOR_AWAY', `${new URL(url).pathname} answered something else`);
}
