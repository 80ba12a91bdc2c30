import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { unreached } from '../../../agent/adapters/docker-check.ts';
import { demultiplex, linesOf } from '../../../agent/adapters/docker-stream.ts';

test.each([
  ['EACCES', 'forbidden'],
  ['EPERM', 'forbidden'],
  ['ENOENT', 'absent'],
  ['ECONNREFUSED', 'absent'],
])('a connection that fails with %s is %s', (code, kind) => {
  const error = Object.assign(new Error(`connect ${code} /var/run/docker.sock`), { code });
  expect(unreached(error)).toEqual({ kind, detail: error.message });
});

const frame = (kind: number, text: string): Buffer => {
  const body = Buffer.from(text);
  const header = Buffer.alloc(8);
  header[0] = kind;
  header.writeUInt32BE(body.length, 4);
  return Buffer.concat([header, body]);
};

test.each([1, 3, 7, 1000])('frames are split right, however they are cut (%d bytes at a time)', async (size) => {
  const attached = new PassThrough();
  const { stdout, stderr } = demultiplex(attached);
  const all = Buffer.concat([frame(1, 'out'), frame(2, 'one\ntw'), frame(1, ''), frame(1, 'put'), frame(2, 'o\nlast')]);
  for (let at = 0; at < all.length; at += size) attached.write(all.subarray(at, at + size));
  attached.end();
  const lines: string[] = [];
  for await (const line of linesOf(stderr)) lines.push(line);
  expect(lines).toEqual(['one', 'two', 'last']);
  expect(Buffer.concat(await stdout.toArray()).toString()).toBe('output');
});

test('a line without end is cut at 4 KiB', async () => {
  const stream = new PassThrough();
  stream.end(`${'x'.repeat(10_000)}\nnext\n`);
  const lines: string[] = [];
  for await (const line of linesOf(stream)) lines.push(line);
  expect(lines.map((line) => line.length)).toEqual([4096, 4]);
});

test('waiting for a slow reader leaves no listener behind', async () => {
  const attached = new PassThrough();
  const { stdout } = demultiplex(attached);
  const listeners = () => stdout.listenerCount('drain') + stdout.listenerCount('close') + stdout.listenerCount('error');
  const before = listeners();
  const text = 'x'.repeat(100_000);
  for (let count = 0; count < 20; count++) attached.write(frame(1, text));
  attached.end();
  let bytes = 0;
  let most = 0;
  for (let chunk = await next(stdout); chunk !== null; chunk = await next(stdout)) {
    bytes += chunk.length;
    most = Math.max(most, listeners());
  }
  expect(bytes).toBe(20 * text.length);
  expect(most - before).toBeLessThanOrEqual(6);
});

/** Reads by hand: an iterator would add listeners of its own. */
function next(stream: PassThrough): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const ended = (): void => resolve(null);
    const take = (): void => {
      stream.off('end', ended);
      const chunk: Buffer | null = stream.read();
      if (chunk !== null) resolve(chunk);
      else if (stream.readableEnded) ended();
      else {
        stream.once('readable', take);
        stream.once('end', ended);
      }
    };
    take();
  });
}
