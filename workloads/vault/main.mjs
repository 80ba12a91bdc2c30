// The vault: keeps shards and proves that it has them. HTTP/2 on standard input and output, and nothing else (workloads/README.md).
import { createServer } from 'node:http2';
import { Duplex } from 'node:stream';
import { answerOf } from './audit.mjs';
import { Refusal, Shards } from './shards.mjs';
import { scrub } from './scrub.mjs';

const MOST_LISTED = 1_000;
const MOST_TEXT = 4 * 1024 * 1024;
const MOST_BLOCKS = 4_096;

const shards = await new Shards(process.env.VAULT_FOLDER ?? '/vault').load();
const say = (line) => process.stderr.write(`${JSON.stringify(line)}\n`);

const json = (value) => ({ status: 200, type: 'application/json', body: Buffer.from(JSON.stringify(value)) });
const refuse = (status, message) => {
  throw new Refusal(status, message);
};

async function textOf(stream) {
  const parts = [];
  let bytes = 0;
  for await (const part of stream) {
    bytes += part.length;
    if (bytes > MOST_TEXT) refuse(413, 'that is too long');
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch {
    return refuse(400, 'that is no JSON');
  }
}

function rangeOf(text, bytes) {
  if (text === undefined) return [0, bytes];
  const [, from = '', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(text) ?? [];
  const [start, end] = [Number(from), to === '' ? bytes : Math.min(Number(to) + 1, bytes)];
  return from === '' || start >= end ? refuse(416, 'there is no such range') : [start, end];
}

const isCount = (value, most) => Number.isSafeInteger(value) && value > 0 && value <= most;

async function audit(stream) {
  const { shards: asked, seed, blocks, blockBytes } = await textOf(stream);
  const good =
    Array.isArray(asked) &&
    asked.every((one) => typeof one?.hash === 'string' && isCount(one.bytes, Number.MAX_SAFE_INTEGER)) &&
    typeof seed === 'string' &&
    /^0x[0-9a-f]{64}$/.test(seed) &&
    isCount(blocks, MOST_BLOCKS) &&
    isCount(blockBytes, 65_536);
  if (!good) refuse(400, 'that is no audit');
  const question = { shards: asked, seed: Buffer.from(seed.slice(2), 'hex'), blocks, blockBytes };
  const answer = await answerOf(question, (hash) => shards.open(hash));
  return answer === null ? refuse(404, 'something of it is not here') : { status: 200, body: answer };
}

async function answer(stream, headers) {
  const { pathname, searchParams } = new URL(headers[':path'], 'http://door');
  const [, area, name] = pathname.split('/');
  const asked = `${headers[':method']} /${area}${name === undefined ? '' : '/'}`;
  if (asked === 'GET /usage') return json(shards.usage());
  if (asked === 'PUT /quota') {
    const { quotaBytes } = await textOf(stream);
    if (!(Number.isSafeInteger(quotaBytes) && quotaBytes >= 0)) refuse(400, 'that is no quota');
    shards.limit(quotaBytes);
    return json(shards.usage());
  }
  if (asked === 'POST /audit') return await audit(stream);
  if (asked === 'GET /shards') {
    const most = Math.min(Number(searchParams.get('limit') ?? MOST_LISTED) || MOST_LISTED, MOST_LISTED);
    return json(shards.list(searchParams.get('after') ?? '', most));
  }
  if (asked === 'PUT /shards/') {
    const fresh = await shards.put(name, Number(headers['content-length']), stream);
    return { status: fresh ? 201 : 200 };
  }
  if (asked === 'GET /shards/') {
    const bytes = shards.sizeOf(name) ?? refuse(404, 'there is no such shard');
    const [start, end] = rangeOf(headers.range, bytes);
    const status = headers.range === undefined ? 200 : 206;
    return { status, length: end - start, pieces: shards.read(name, start, end) };
  }
  if (asked === 'DELETE /shards/') {
    await shards.remove(name);
    return { status: 204 };
  }
  return refuse(404, 'there is nothing there');
}

async function serve(stream, headers) {
  stream.on('error', () => undefined);
  try {
    const { status, type, body, length, pieces } = await answer(stream, headers);
    // What was sent and not asked for is not waited for.
    stream.resume();
    const fields = { ':status': status, ...(type ? { 'content-type': type } : {}), ...(length ? { 'content-length': length } : {}) };
    stream.respond(fields, { endStream: body === undefined && pieces === undefined });
    if (body !== undefined) stream.end(body);
    if (pieces === undefined) return;
    for await (const piece of pieces) {
      if (stream.destroyed) return;
      if (!stream.write(piece)) await room(stream);
    }
    stream.end();
  } catch (error) {
    stream.resume();
    const known = error instanceof Refusal;
    if (!known) say({ error: String(error?.message ?? error) });
    if (stream.destroyed || stream.headersSent) return stream.close(2);
    stream.respond({ ':status': known ? error.status : 500, 'content-type': 'text/plain' });
    stream.end(known ? error.message : 'the vault failed');
  }
}

const room = (stream) =>
  new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.on('drain', done).on('close', done);
  });

const server = createServer({
  settings: { enablePush: false, initialWindowSize: 1024 * 1024, maxFrameSize: 65_536, maxConcurrentStreams: 64 },
});
server.on('stream', (stream, headers) => void serve(stream, headers));
server.on("session", (session) => session.setLocalWindowSize(4 * 1024 * 1024));
server.on('sessionError', (error) => say({ error: error.message }));
// The end of input is the end.
process.stdin.on('end', () => process.exit(0));
server.emit('connection', Duplex.from({ readable: process.stdin, writable: process.stdout }));
scrub(shards, {
  say,
  ...(process.env.VAULT_SCRUB_BYTES ? { bytesASecond: Number(process.env.VAULT_SCRUB_BYTES), restMs: 100 } : {}),
}).catch((error) => say({ error: String(error) }));
