// A service workload: an HTTP/2 server on its standard input and output, and nothing else.
import { createServer } from 'node:http2';
import { Duplex, Readable } from 'node:stream';

const BLOCK = Buffer.alloc(65_536, 'idlemesh');
const zeros = function* (bytes) {
  for (let left = bytes; left > 0; left -= BLOCK.length) yield BLOCK.subarray(0, Math.min(left, BLOCK.length));
};

const answers = {
  '/echo': (stream) => stream.pipe(stream),
  '/bytes': (stream, { bytes }) => Readable.from(zeros(Number(bytes))).pipe(stream),
  '/sink': async (stream) => {
    let seen = 0;
    for await (const chunk of stream) seen += chunk.length;
    stream.end(String(seen));
  },
  '/hold': () => undefined,
};

const server = createServer({ settings: { initialWindowSize: 1024 * 1024, maxFrameSize: 65_536 } });
server.on('stream', (stream, headers) => {
  const { pathname, searchParams } = new URL(headers[':path'], 'http://door');
  stream.on('error', () => undefined);
  const answer = answers[pathname];
  stream.respond({ ':status': answer ? 200 : 404 }, { endStream: !answer });
  answer?.(stream, Object.fromEntries(searchParams));
});

// PLAIN: bytes without framing, to compare with.
if (process.env.PLAIN) Readable.from(zeros(Number(process.env.PLAIN))).pipe(process.stdout);
else server.emit('connection', Duplex.from({ readable: process.stdin, writable: process.stdout }));
// The end of input is the end.
process.stdin.on('end', () => process.exit(0));
