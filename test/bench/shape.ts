import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../agent/adapters/clock.ts';
import { createShaper, type Shaper } from '../../agent/shaper.ts';
import { flowOf } from '../../core/traffic.ts';

/**
 * How near the shaper comes to the owner's cap over real sockets on loopback, out and in at the same time, with three streams each way that
 * all want more: the worse of both ways, in percent of the cap. `--seconds=10` for each cap.
 */
const CAPS = [1, 10, 100] as const;
const STREAMS = 3;
const CHUNK = Buffer.alloc(64 * 1024, 7);
/** What was saved up before, and the first windows of the sockets, are not the rate. */
const WARM_MS = 1_000;
const BITS_PER_MBIT = 1_000_000;
const option = (name: string, fallback: number): number =>
  Number(process.argv.find((word) => word.startsWith(`--${name}=`))?.split('=')[1] ?? fallback);
const measuredMs = option('seconds', 10) * 1000;
type Pass = ReturnType<Shaper['stream']>;

/** Bytes as they come; only those count that come while it is open. */
function counter() {
  let open = false;
  let bytes = 0;
  return {
    add(more: number): void {
      if (open) bytes += more;
    },
    begin(): void {
      open = true;
    },
    end(): number {
      open = false;
      return bytes;
    },
  };
}

/** Lets a chunk pass in pieces, as bodies of channels do. */
async function through(
  shaper: Shaper,
  pass: Pass,
  chunk: Buffer,
  each: (piece: Buffer) => Promise<void>,
): Promise<void> {
  for (let at = 0; at < chunk.length; ) {
    const piece = chunk.subarray(at, Math.min(chunk.length, at + shaper.piece()));
    await pass(piece.length);
    await each(piece);
    at += piece.length;
  }
}

async function write(socket: Socket, piece: Buffer): Promise<void> {
  if (!socket.write(piece)) await once(socket, 'drain');
}

/** Mbit/s that passed out and in at a cap. */
async function measure(mbps: number): Promise<{ readonly out: number; readonly in: number }> {
  const shapers = { out: createShaper(systemClock), in: createShaper(systemClock) };
  shapers.out.limit(flowOf(mbps));
  shapers.in.limit(flowOf(mbps));
  const [out, into] = [counter(), counter()];
  const sockets: Socket[] = [];
  // The device: what it sends and what it takes are held back; the other side takes and sends as fast as it can.
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    const [give, take] = [shapers.out.stream(), shapers.in.stream()];
    (async () => {
      while (!socket.destroyed) await through(shapers.out, give, CHUNK, (piece) => write(socket, piece));
    })().catch(() => undefined);
    (async () => {
      for await (const chunk of socket) {
        await through(shapers.in, take, chunk as Buffer, async (piece) => into.add(piece.length));
      }
    })().catch(() => undefined);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const place = server.address();
  const port = typeof place === 'object' && place !== null ? place.port : 0;
  for (let at = 0; at < STREAMS; at++) {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => out.add(chunk.length));
    (async () => {
      while (!socket.destroyed) await write(socket, CHUNK);
    })().catch(() => undefined);
  }
  await delay(WARM_MS);
  const begun = performance.now();
  out.begin();
  into.begin();
  await delay(measuredMs);
  const seconds = (performance.now() - begun) / 1000;
  const rate = (bytes: number): number => (bytes * 8) / BITS_PER_MBIT / seconds;
  const rates = { out: rate(out.end()), in: rate(into.end()) };
  for (const socket of sockets) socket.destroy();
  shapers.out.close();
  shapers.in.close();
  server.close();
  return rates;
}

const raw: Record<string, { readonly out: number; readonly in: number }> = {};
const errors: Record<string, number> = {};
for (const cap of CAPS) {
  const rates = await measure(cap);
  raw[cap] = rates;
  const worst = Math.max(...[rates.out, rates.in].map((rate) => Math.abs(rate / cap - 1)));
  errors[`errorPct${cap}`] = Math.round(worst * 100_000) / 1000;
}
process.stdout.write(
  `${JSON.stringify({ ...errors, seconds: measuredMs / 1000, streams: STREAMS, cores: cpus().length, mbps: raw })}\n`,
);
