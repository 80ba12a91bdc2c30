import { once } from 'node:events';
import { afterEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { Context } from '../../../coordinator/context.ts';
import { createApp } from '../../../coordinator/http.ts';
import { Metrics } from '../../../coordinator/metrics.ts';
import type { Sessions } from '../../../coordinator/sessions.ts';
import { until } from '../../support/wait.ts';

const MOST_BYTES = 64 * 1024 * 1024;
const PIECE = 'x'.repeat(64 * 1024);

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** The edge alone, with a session behind it that tells and tells. */
async function tellingEdge(told: { bytes: number; over: boolean }): Promise<string> {
  const options = { clock: { now: () => Date.now() }, log: () => undefined };
  const sessions = {
    connect: (wire: Parameters<Sessions['connect']>[0]) => {
      const telling = setInterval(() => {
        if (told.bytes >= MOST_BYTES) return clearInterval(telling);
        for (let piece = 0; piece < 16; piece++) wire.send(PIECE);
        told.bytes += 16 * PIECE.length;
      }, 1);
      const ended = () => {
        clearInterval(telling);
        told.over = true;
      };
      return { receive: () => undefined, measured: () => undefined, ended };
    },
  };
  // Of both it needs no more.
  const app = await createApp({ metrics: new Metrics(), options } as unknown as Context, sessions);
  closing.push(() => app.close());
  return (await app.listen({ host: '127.0.0.1', port: 0 })).replace('http', 'ws');
}

it('a device that does not read what it is told is cut off before it fills the memory', async () => {
  const told = { bytes: 0, over: false };
  const socket = new WebSocket(`${await tellingEdge(told)}/v1/session`);
  closing.push(async () => socket.terminate());
  await once(socket, 'open');
  socket.pause();
  await until('the telling to end', () => told.over || told.bytes >= MOST_BYTES);
  await until('the device to be cut off', () => told.over);
  expect(told.bytes).toBeLessThan(MOST_BYTES);
});

it('a device that reads hears all of it', async () => {
  const told = { bytes: 0, over: false };
  const socket = new WebSocket(`${await tellingEdge(told)}/v1/session`);
  closing.push(async () => socket.terminate());
  let heard = 0;
  socket.on('message', (text) => {
    heard += text.toString().length;
  });
  await until('all to be heard', () => heard >= MOST_BYTES);
  expect(told.over).toBe(false);
});
