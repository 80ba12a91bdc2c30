import { once } from 'node:events';
import { createServer } from 'node:net';
import { readAnswer, readRequest, splitHead } from './head.mjs';
import { Refusal } from './refusal.mjs';

/**
 * @typedef {import('node:net').Socket} Socket
 * @typedef {import('./head.mjs').Head} Head
 * @typedef {import('./head.mjs').Request} Request
 * @typedef {import('./head.mjs').Target} Target
 * @typedef {import('./meter.mjs').Meter} Meter
 * @typedef {AsyncIterator<Buffer, undefined>} Chunks
 */

const HEAD_MS = 10_000;
const IDLE_MS = 120_000;

/**
 * @param {Chunks} chunks
 * @param {(bytes: number) => Promise<void>} pass
 * @param {Buffer} begin what is there already
 * @returns {Promise<{readonly head: Head, readonly rest: Buffer}>} Throws a `Refusal`.
 */
async function readHead(chunks, pass, begin) {
  let received = begin;
  for (;;) {
    const split = splitHead(received);
    if (split !== null) return split;
    const { value, done } = await chunks.next();
    if (done || value === undefined) throw new Refusal(400, 'malformed', 'it ended within its head');
    await pass(value.length);
    received = Buffer.concat([received, value]);
  }
}

/**
 * @param {Socket} to
 * @param {Uint8Array} bytes
 */
async function send(to, bytes) {
  if (bytes.length === 0) return;
  if (!to.write(bytes)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
  if (to.destroyed) throw new Refusal(502, 'unreachable', 'the connection was closed');
}

/**
 * @param {Socket} client
 * @param {unknown} error
 */
function answer(client, error) {
  const { status, message } = error instanceof Refusal ? error : { status: 502, message: 'the connection broke' };
  const body = `${message}\n`;
  const head = [
    `HTTP/1.1 ${status} ${status < 500 ? 'Refused' : 'Bad Gateway'}`,
    'content-type: text/plain; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  client.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/**
 * @param {Socket} server
 * @param {(bytes: number) => Promise<void>} arrived
 * @param {(bytes: Uint8Array) => Promise<void>} back
 */
async function copyDown(server, arrived, back) {
  for await (const chunk of server) {
    await arrived(chunk.length);
    await back(chunk);
  }
}

/**
 * @param {Socket} server
 * @param {(bytes: number) => Promise<void>} arrived
 * @param {(bytes: Uint8Array) => Promise<void>} back
 */
async function copyAnswer(server, arrived, back) {
  /** @type {Chunks} */
  const chunks = server[Symbol.asyncIterator]();
  /** @type {Buffer} */
  let begin = Buffer.alloc(0);
  for (;;) {
    const { head, rest } = await readHead(chunks, arrived, begin);
    const whole = readAnswer(head);
    begin = rest;
    if (whole === null) continue;
    await back(whole);
    await back(rest);
    break;
  }
  for (let next = await chunks.next(); !next.done; next = await chunks.next()) {
    await arrived(next.value.length);
    await back(next.value);
  }
}

/**
 * Hands on what the client says, and never ends before the client does: what follows the body would be a request that nobody
 * has checked.
 * @param {Buffer} rest what came with the head
 * @param {Chunks} chunks
 * @param {number} most
 * @param {(bytes: Uint8Array) => Promise<void>} forward
 */
async function copyUp(rest, chunks, most, forward) {
  let left = most;
  for (let chunk = rest; ; ) {
    if (chunk.length > left) throw new Refusal(400, 'length', 'there is more than the body that was announced');
    left -= chunk.length;
    if (chunk.length > 0) await forward(chunk);
    const { value, done } = await chunks.next();
    if (done || value === undefined) return;
    chunk = value;
  }
}

/**
 * A proxy as HTTP/1.1 knows it: CONNECT, and requests with a whole address. It follows no redirect; each request is one
 * connection, and is checked.
 * @param {{
 *   readonly dial: (target: Target) => Promise<Socket>,
 *   readonly meter: Meter,
 *   readonly maxConnections: number,
 *   readonly refused: (why: string, target: Target | null) => void,
 * }} options
 */
export function createProxy({ dial, meter, maxConnections, refused }) {
  /**
   * @param {Request} request
   * @param {Buffer} rest
   * @param {Chunks} chunks
   * @param {Socket} client
   * @param {Socket} server
   * @param {() => void} begins
   */
  async function relay(request, rest, chunks, client, server, begins) {
    const forward = async (/** @type {Uint8Array} */ bytes) => {
      await meter.pass('sent', bytes.length);
      await send(server, bytes);
    };
    const back = async (/** @type {Uint8Array} */ bytes) => {
      begins();
      await send(client, bytes);
    };
    const arrived = (/** @type {number} */ bytes) => meter.pass('received', bytes);
    if (request.kind === 'connect') {
      await back(Buffer.from('HTTP/1.1 200 Connection Established\r\n\r\n'));
      const up = copyUp(rest, chunks, Number.POSITIVE_INFINITY, forward).then(() => server.end());
      await Promise.all([up, copyDown(server, arrived, back).then(() => client.end())]);
      return;
    }
    await forward(request.head);
    const answer = copyAnswer(server, arrived, back);
    await Promise.race([answer, copyUp(rest, chunks, request.bodyBytes, forward).then(() => answer)]);
  }

  /** @param {Socket} client */
  async function serve(client) {
    /** @type {Socket | null} */
    let server = null;
    /** @type {Target | null} */
    let target = null;
    let begun = false;
    const late = setTimeout(() => client.destroy(), HEAD_MS);
    try {
      /** @type {Chunks} */
      const chunks = client[Symbol.asyncIterator]();
      const { head, rest } = await readHead(chunks, async () => {}, Buffer.alloc(0));
      clearTimeout(late);
      const request = readRequest(head);
      target = request.target;
      const dialled = await dial(target);
      server = dialled;
      dialled.on('error', () => {});
      for (const socket of [client, dialled]) socket.setTimeout(IDLE_MS, () => socket.destroy());
      await relay(request, rest, chunks, client, dialled, () => {
        begun = true;
      });
    } catch (error) {
      if (error instanceof Refusal) refused(error.why, target);
      if (begun) client.destroy();
      else answer(client, error);
    } finally {
      clearTimeout(late);
      server?.destroySoon();
      client.destroySoon();
    }
  }

  const proxy = createServer({ allowHalfOpen: true }, (client) => {
    client.on('error', () => {});
    void serve(client);
  });
  proxy.maxConnections = maxConnections;
  proxy.on('drop', () => refused('connections', null));
  return proxy;
}
