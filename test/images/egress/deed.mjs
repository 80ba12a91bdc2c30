import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

/**
 * A job that does what its parameter says: the body of an asynchronous function, in base64. What it returns is its result.
 * `raw` says bytes to the proxy and answers what came back until the end; `get` asks it for an address.
 */

/** @param {string} bytes */
const raw = (bytes) =>
  new Promise((resolve) => {
    let answer = '';
    const socket = connect('/run/egress/proxy.sock', () => socket.write(bytes));
    socket.setEncoding('latin1');
    socket.on('data', (data) => {
      answer += data;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer));
  });

/** @param {string} url */
const get = (url) => raw(`GET ${url} HTTP/1.1\r\nHost: ${url.split('/')[2]}\r\n\r\n`);

const AsyncFunction = /** @type {FunctionConstructor} */ (async () => undefined).constructor;
const lines = createInterface({ input: process.stdin });
lines.once('line', async (header) => {
  const code = Buffer.from(JSON.parse(header).params.deed, 'base64').toString();
  const result = await AsyncFunction('raw', 'get', 'require', code)(raw, get, createRequire(import.meta.url));
  process.stdout.write(JSON.stringify(result ?? null), () => {
    process.stderr.write('{"done":true}\n', () => process.exit(0));
  });
});
lines.once('close', () => process.exit(1));
