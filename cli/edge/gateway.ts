import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';
import { contentType } from 'mime-types';
import { type ByteRange, rangeOf } from '../../core/byte-range.ts';
import { type ContentFile, fileTag, type Piece, piecesOf } from '../../core/content.ts';
import { asFailure, type ErrorCode, fail } from '../../core/errors.ts';
import { type Hex32, hex32 } from '../../core/primitives.ts';
import type { ContentReader } from './reader.ts';
import { Shelf } from './shelf.ts';

/** Chunks that are fetched ahead of the one that is being sent. */
const AHEAD = 3;

/**
 * What comes out of here is a stranger's. A page gets an origin of its own, so that the pages of one content cannot read another's, nor what else
 * is on this machine; and nothing is taken for a program that does not say that it is one.
 */
const GUARDS = {
  'content-security-policy': 'sandbox allow-scripts allow-forms allow-popups',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};
/** The name of the content is in the address: what lies there never changes. */
const FOREVER = 'private, max-age=31536000, immutable';

const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  ...{
    BAD_INPUT: 400,
    UNAUTHORISED: 403,
    NOT_FOUND: 404,
    REFUSED: 502,
    TOO_MANY: 503,
    DISK_FULL: 502,
    WORKLOAD_FAILED: 502,
  },
  ...{ COORDINATOR_AWAY: 503, TIMEOUT: 504, CANCELLED: 503, INSUFFICIENT_FUNDS: 402 },
};

export type GatewayOptions = {
  /** Opens a content; see `openContent`. */
  readonly open: (content: Hex32) => Promise<ContentReader>;
  /** 0: any that is free. */
  readonly port: number;
  readonly failed?: (path: string, why: string) => void;
};

export type Gateway = {
  /** `http://127.0.0.1:port`; below it `/CONTENT/PATH`. */
  readonly url: string;
  readonly close: () => Promise<void>;
};

/** Serves published content to the programs of this machine, over plain HTTP. Throws CONFLICT when the port is taken. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const shelf = new Shelf(options.open);
  const server = createServer((request, response) => {
    response.on('error', () => undefined);
    answer(shelf, request, response).catch((error: unknown) => {
      const { code, message } = asFailure(error);
      options.failed?.(request.url ?? '', message);
      // Too late to say it otherwise, and half a file must not look like a whole one.
      if (response.headersSent) return void response.destroy();
      const said = code === 'INTERNAL' ? 'internal error' : message;
      response.writeHead(STATUS[code] ?? 500, { ...GUARDS, 'content-type': 'text/plain; charset=utf-8' });
      response.end(`${said}\n`);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, '127.0.0.1', resolve);
  }).catch((error: unknown) => fail('CONFLICT', `another program uses port ${options.port}`, {}, error));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      shelf.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(shelf: Shelf, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // A name of somebody's that leads here would make this a part of that site (DNS rebinding).
  if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.host ?? '')) {
    return void response.writeHead(421, GUARDS).end();
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return void response.writeHead(405, { ...GUARDS, allow: 'GET, HEAD' }).end();
  }
  const { content, path } = placeOf(request.url ?? '');
  // What its pages name is found beside them.
  if (path === null) return void response.writeHead(307, { ...GUARDS, location: `/${content}/` }).end();
  const { reader, files } = await shelf.content(content);
  const file = files.get(path) ?? files.get(path === '' || path.endsWith('/') ? `${path}index.html` : path);
  if (file !== undefined) return await send(shelf, reader, file, request, response);
  if (path !== '' && files.has(`${path}/index.html`)) {
    const last = encodeURIComponent(path.split('/').at(-1) ?? '');
    return void response.writeHead(307, { ...GUARDS, location: `./${last}/` }).end();
  }
  fail('NOT_FOUND', 'there is no such file in this content');
}

/** `path` null: not even a slash follows the content. Throws BAD_INPUT and NOT_FOUND. */
function placeOf(url: string): { readonly content: Hex32; readonly path: string | null } {
  const [, name = '', ...rest] = (url.split(/[?#]/)[0] ?? '').split('/');
  const content = hex32.safeParse(name);
  if (!content.success) return fail('NOT_FOUND', 'ask for /CONTENT/PATH');
  if (rest.length === 0) return { content: content.data, path: null };
  try {
    return { content: content.data, path: decodeURIComponent(rest.join('/')).normalize('NFC') };
  } catch (error) {
    return fail('BAD_INPUT', 'the path is not well-formed', {}, error);
  }
}

async function send(
  shelf: Shelf,
  reader: ContentReader,
  file: ContentFile,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const etag = `"${fileTag(file)}"`;
  const headers = {
    ...{ ...GUARDS, etag, 'cache-control': FOREVER, 'accept-ranges': 'bytes' },
    'content-type': contentType(extname(file.path)) || 'application/octet-stream',
  };
  if (known(request.headers['if-none-match'], etag)) return void response.writeHead(304, headers).end();
  const range = wantedRange(request, file, etag);
  if (range === 'unsatisfiable') {
    return void response.writeHead(416, { ...headers, 'content-range': `bytes */${file.bytes}` }).end();
  }
  const { start, end } = range ?? { start: 0, end: file.bytes };
  const told = { ...headers, 'content-length': end - start };
  const part = range === null ? told : { ...told, 'content-range': `bytes ${start}-${end - 1}/${file.bytes}` };
  const status = range === null ? 200 : 206;
  if (request.method === 'HEAD') return void response.writeHead(status, part).end();
  for await (const data of inOrder(piecesOf(file, start, end), (piece) => shelf.chunk(reader, piece))) {
    if (response.destroyed) return;
    // Only now: what cannot be had at all is told as such.
    if (!response.headersSent) response.writeHead(status, part);
    if (!response.write(data)) await roomIn(response);
  }
  if (!response.headersSent) response.writeHead(status, part);
  response.end();
}

/** If-Range with a tag that is not this one's asks for all of it (RFC 9110, 13.1.5). A file of no bytes has no ranges. */
function wantedRange(
  request: IncomingMessage,
  { bytes }: ContentFile,
  etag: string,
): ByteRange | 'unsatisfiable' | null {
  const only = request.headers['if-range'];
  return only !== undefined && only !== etag ? null : rangeOf(request.headers.range, bytes);
}

const known = (field: string | undefined, etag: string): boolean =>
  field !== undefined &&
  (field.trim() === '*' || field.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag));

/** The bytes of the pieces, in order; the next are fetched meanwhile. */
async function* inOrder(
  pieces: readonly Piece[],
  fetch: (piece: Piece) => Promise<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const ahead: Promise<Uint8Array>[] = [];
  for (const [index, { from, to }] of pieces.entries()) {
    for (const piece of pieces.slice(index + ahead.length, index + 1 + AHEAD)) {
      const coming = fetch(piece);
      coming.catch(() => undefined);
      ahead.push(coming);
    }
    const chunk = await ahead.shift();
    if (chunk !== undefined) yield chunk.subarray(from, to);
  }
}

const roomIn = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
