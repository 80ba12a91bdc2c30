// The edge: keeps published chunks by popularity, and gives them out. HTTP/2 on standard input and output, and nothing else
// (workloads/README.md).
import { createServer } from 'node:http2';
import { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Chunks } from './chunks.mjs';
import { Contents } from './contents.mjs';
import { Refusal } from './refusal.mjs';

/**
 * @typedef {import('node:http2').ServerHttp2Stream} Stream
 * @typedef {import('node:http2').IncomingHttpHeaders} Headers
 * @typedef {{readonly status: number, readonly body?: unknown, readonly chunk?: string}} Answer
 */

const MOST_CHUNK_BYTES = 1024 * 1024;
const MOST_MANIFEST_BYTES = 8 * 1024 * 1024;
const NOTE_EVERY_MS = 10 * 60_000;

const chunks = await new Chunks(process.env['EDGE_FOLDER'] ?? '/cache').load();
const contents = new Contents((name) => allOf(chunks.read(name), MOST_MANIFEST_BYTES));

/** @param {unknown} error */
const complain = (error) => process.stderr.write(`${JSON.stringify({ error: String(error) })}\n`);

/**
 * @param {AsyncIterable<Buffer>} body
 * @param {number} most bytes
 * @returns {Promise<Buffer>}
 */
async function allOf(body, most) {
  const parts = [];
  let bytes = 0;
  for await (const part of body) {
    bytes += part.length;
    if (bytes > most) throw new Refusal(413, 'that is too long');
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/**
 * Left in the middle it stays open, so that a refusal can still be told.
 * @param {Stream} stream
 */
const bodyOf = (stream) => stream.iterator({ destroyOnReturn: false });

/** @param {Buffer} bytes */
async function* once(bytes) {
  yield bytes;
}

/**
 * Whose request it is was judged outside; what belongs to which content, and to whom that belongs, is judged here: the manifests come from
 * strangers.
 * @param {Headers} headers
 */
const about = ({ content, publisher }) => ({ content: String(content), publisher: String(publisher) });

/**
 * Throws 403 unless the chunk is of that content, or is its manifest.
 * @param {string} hash
 * @param {Headers} headers
 */
async function requireOf(hash, headers) {
  const { content, publisher } = about(headers);
  const known = await contents.of(content, publisher);
  if (hash !== content && !known.chunks.has(hash)) throw new Refusal(403, 'that chunk is not of this content');
  return content;
}

/** @type {Readonly<Record<string, (stream: Stream, headers: Headers, name: string) => Promise<Answer>>>} */
const ROUTES = {
  'GET /usage': async () => ({ status: 200, body: chunks.usage() }),
  'PUT /budget/': async (_stream, _headers, name) => {
    if (!/^\d{1,15}$/.test(name)) throw new Refusal(400, 'that is no budget');
    await chunks.limit(Number(name));
    return { status: 200, body: chunks.usage() };
  },
  'GET /missing/': async (_stream, headers, name) => {
    const { publisher } = about(headers);
    const known = await contents.of(name, publisher);
    return { status: 200, body: { missing: chunks.missing([...known.chunks]) } };
  },
  'PUT /chunks/': async (stream, headers, hash) => {
    const { content, publisher } = about(headers);
    const bytes = Number(headers['bytes']);
    if (hash === content) {
      const manifest = await allOf(bodyOf(stream), MOST_MANIFEST_BYTES);
      const fresh = await chunks.put(hash, bytes, once(manifest), () => contents.require(hash, manifest, publisher));
      // To another it is not even said that it is here.
      if (!fresh) await contents.of(content, publisher);
      return { status: fresh ? 201 : 200 };
    }
    if (bytes > MOST_CHUNK_BYTES) throw new Refusal(413, `a chunk has up to ${MOST_CHUNK_BYTES} bytes`);
    await requireOf(hash, headers);
    return { status: (await chunks.put(hash, bytes, bodyOf(stream))) ? 201 : 200 };
  },
  'GET /chunks/': async (_stream, headers, hash) => {
    const content = await requireOf(hash, headers);
    chunks.lengthOf(hash);
    // The list that names it is worth at least what it lists.
    for (const wanted of new Set([hash, content])) chunks.wanted(wanted);
    return { status: 200, chunk: hash };
  },
  'DELETE /chunks/': async (_stream, _headers, hash) => {
    await chunks.remove(hash);
    return { status: 204 };
  },
};

/**
 * @param {Stream} stream
 * @param {Headers} headers
 */
async function serve(stream, headers) {
  const [, area = '', name] = String(headers[':path']).split('/');
  const route = ROUTES[`${headers[':method']} /${area}${name === undefined ? '' : '/'}`];
  if (route === undefined) throw new Refusal(404, 'there is nothing there');
  const { status, body, chunk } = await route(stream, headers, name ?? '');
  // What was sent and not asked for is not waited for.
  stream.resume();
  if (stream.destroyed) return;
  if (chunk === undefined) {
    stream.respond({ ':status': status }, { endStream: body === undefined });
    if (body !== undefined) stream.end(JSON.stringify(body));
    return;
  }
  stream.respond({ ':status': status, 'content-length': chunks.lengthOf(chunk) });
  await pipeline(Readable.from(chunks.read(chunk), { objectMode: false, highWaterMark: 1 }), stream);
}

/**
 * @param {Stream} stream
 * @param {unknown} error
 */
function refuse(stream, error) {
  const known = error instanceof Refusal;
  if (!known) complain(error);
  stream.resume();
  if (stream.destroyed) return;
  if (stream.headersSent) return stream.close(2);
  stream.respond({ ':status': known ? error.status : 500, 'content-type': 'text/plain' });
  stream.end(known ? error.message : 'the edge failed');
}

const server = createServer({
  settings: { enablePush: false, initialWindowSize: 1024 * 1024, maxFrameSize: 65_536, maxConcurrentStreams: 64 },
});
server.on('stream', (stream, headers) => {
  stream.on('error', () => undefined);
  serve(stream, headers).catch((error) => refuse(stream, error));
});
server.on('session', (session) => session.setLocalWindowSize(4 * 1024 * 1024));
server.on('sessionError', complain);
setInterval(() => chunks.note().catch(complain), NOTE_EVERY_MS).unref();
// The end of input is the end.
process.stdin.on('end', () => {
  chunks
    .note()
    .catch(complain)
    .finally(() => process.exit(0));
});
server.emit('connection', Duplex.from({ readable: process.stdin, writable: process.stdout }));
