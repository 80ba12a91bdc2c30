// The vault: keeps shards and proves that it has them. HTTP/2 on standard input and output, and nothing else (workloads/README.md).
import { createServer } from 'node:http2';
import { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { answerOf } from './audit.mjs';
import { Refusal } from './refusal.mjs';
import { scrub } from './scrub.mjs';
import { Shards } from './shards.mjs';

/**
 * @typedef {import('node:http2').ServerHttp2Stream} Stream
 * @typedef {import('node:http2').IncomingHttpHeaders} Headers
 * @typedef {{readonly hash: string, readonly start: number, readonly end: number}} Piece
 * @typedef {{readonly status: number, readonly json?: unknown, readonly bytes?: Buffer, readonly piece?: Piece}} Answer
 */

const MOST_LISTED = 1_000;
const MOST_TEXT = 4 * 1024 * 1024;
const MOST_BLOCKS = 4_096;
const MOST_BLOCK_BYTES = 65_536;

const { VAULT_FOLDER: folder = '/vault', VAULT_SCRUB_BYTES: scrubBytes } = process.env;
const shards = await new Shards(folder).load();
/** @param {unknown} error */
const complain = (error) => process.stderr.write(`${JSON.stringify({ error: String(error) })}\n`);

/** @param {Stream} stream @returns {Promise<Record<string, unknown>>} */
async function objectIn(stream) {
  const parts = [];
  let bytes = 0;
  for await (const part of stream.iterator({ destroyOnReturn: false })) {
    bytes += part.length;
    if (bytes > MOST_TEXT) throw new Refusal(413, 'that is too long');
    parts.push(part);
  }
  try {
    return { ...JSON.parse(Buffer.concat(parts).toString('utf8')) };
  } catch {
    throw new Refusal(400, 'that is no JSON');
  }
}

/** @param {string | undefined} text of a Range header @param {number} bytes @returns {readonly [number, number]} from, and to before */
function rangeOf(text, bytes) {
  if (text === undefined) return [0, bytes];
  const [, from = '', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(text) ?? [];
  const [start, end] = [Number(from), to === '' ? bytes : Math.min(Number(to) + 1, bytes)];
  if (from === '' || start >= end) throw new Refusal(416, 'there is no such range');
  return [start, end];
}

/** @param {unknown} value @param {number} most @returns {number} */
function countOf(value, most) {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value <= 0 || value > most)
    throw new Refusal(400, `that is no number from 1 to ${most}`);
  return value;
}

/** @param {unknown} value @returns {readonly import('./audit.mjs').Shard[]} */
function shardsIn(value) {
  if (!Array.isArray(value)) throw new Refusal(400, 'that is no list of shards');
  return value.map((one) => ({ hash: String(one?.hash), bytes: countOf(one?.bytes, Number.MAX_SAFE_INTEGER) }));
}

/** @param {unknown} value @returns {Buffer} */
function seedOf(value) {
  if (!/^0x[0-9a-f]{64}$/.test(String(value))) throw new Refusal(400, 'that is no seed');
  return Buffer.from(String(value).slice(2), 'hex');
}

/** @type {Readonly<Record<string, (stream: Stream, headers: Headers, name: string) => Promise<Answer>>>} */
const ROUTES = {
  'GET /usage': async () => ({ status: 200, json: shards.usage() }),
  'PUT /quota': async (stream) => {
    const { quotaBytes } = await objectIn(stream);
    // 0 is a quota, too: nothing more comes in.
    shards.limit(quotaBytes === 0 ? 0 : countOf(quotaBytes, Number.MAX_SAFE_INTEGER));
    return { status: 200, json: shards.usage() };
  },
  'POST /audit': async (stream) => {
    const asked = await objectIn(stream);
    const question = {
      shards: shardsIn(asked['shards']),
      seed: seedOf(asked['seed']),
      blocks: countOf(asked['blocks'], MOST_BLOCKS),
      blockBytes: countOf(asked['blockBytes'], MOST_BLOCK_BYTES),
    };
    const bytes = await answerOf(question, (hash) => shards.open(hash));
    if (bytes === null) throw new Refusal(404, 'something of it is not here');
    return { status: 200, bytes };
  },
  'GET /shards': async () => ({ status: 200, json: shards.list('', MOST_LISTED) }),
  'GET /after/': async (_stream, _headers, hash) => ({ status: 200, json: shards.list(hash, MOST_LISTED) }),
  'PUT /shards/': async (stream, headers, hash) => {
    const body = stream.iterator({ destroyOnReturn: false });
    return { status: (await shards.put(hash, Number(headers['bytes']), body)) ? 201 : 200 };
  },
  'GET /shards/': async (_stream, headers, hash) => {
    const bytes = shards.sizeOf(hash);
    if (bytes === null) throw new Refusal(404, 'there is no such shard');
    const [start, end] = rangeOf(headers.range, bytes);
    return { status: headers.range === undefined ? 200 : 206, piece: { hash, start, end } };
  },
  'DELETE /shards/': async (_stream, _headers, hash) => {
    await shards.remove(hash);
    return { status: 204 };
  },
};

/** @param {Stream} stream @param {Headers} headers */
async function answer(stream, headers) {
  const [, area = '', name] = String(headers[':path']).split('/');
  const route = ROUTES[`${headers[':method']} /${area}${name === undefined ? '' : '/'}`];
  if (route === undefined) throw new Refusal(404, 'there is nothing there');
  const {
    status,
    json,
    piece,
    bytes = json === undefined ? undefined : Buffer.from(JSON.stringify(json)),
  } = await route(stream, headers, name ?? '');
  // What was sent and not asked for is not waited for.
  stream.resume();
  if (stream.destroyed) return;
  if (piece !== undefined) {
    const { hash, start, end } = piece;
    stream.respond({ ':status': status, 'content-length': end - start });
    await pipeline(Readable.from(shards.read(hash, start, end), { objectMode: false, highWaterMark: 1 }), stream);
    return;
  }
  stream.respond({ ':status': status }, { endStream: bytes === undefined });
  if (bytes !== undefined) stream.end(bytes);
}

/** @param {Stream} stream @param {unknown} error */
function fail(stream, error) {
  const [status, message] = error instanceof Refusal ? [error.status, error.message] : [500, 'the vault failed'];
  if (status === 500) complain(error);
  stream.resume();
  if (stream.destroyed) return;
  if (stream.headersSent) return stream.close(2);
  stream.respond({ ':status': status, 'content-type': 'text/plain' });
  stream.end(message);
}

const server = createServer({
  settings: { enablePush: false, initialWindowSize: 1024 * 1024, maxFrameSize: 65_536, maxConcurrentStreams: 64 },
});
server.on('stream', (stream, headers) => {
  stream.on('error', () => undefined);
  answer(stream, headers).catch((error) => fail(stream, error));
});
server.on('session', (session) => session.setLocalWindowSize(4 * 1024 * 1024));
server.on('sessionError', complain);
// The end of input is the end: whatever was acknowledged is on disk.
process.stdin.on('end', () => process.exit(0));
server.emit('connection', Duplex.from({ readable: process.stdin, writable: process.stdout }));
const pace = scrubBytes === undefined ? {} : { bytesASecond: Number(scrubBytes), restMs: 100 };
scrub(shards, { ...pace, say: (line) => process.stderr.write(`${JSON.stringify(line)}\n`) }).catch(complain);
