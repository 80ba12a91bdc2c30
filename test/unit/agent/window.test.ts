import { expect, test } from 'vitest';
import { inputWindow } from '../../../agent/adapters/docker-window.ts';

const MIB = 1024 * 1024;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function* lines(...each: readonly string[]): AsyncGenerator<string> {
  yield* each;
}
async function all(heard: AsyncIterable<string>): Promise<readonly string[]> {
  const got: string[] = [];
  for await (const line of heard) got.push(line);
  return got;
}

test('what is under way is never more than the window, and goes on as it is taken', async () => {
  const window = inputWindow();
  let bytes = 0;
  const write = async (piece: Uint8Array): Promise<void> => {
    bytes += piece.length;
  };
  const sent = window.pass(Buffer.alloc(9 * MIB), write);
  const after = window.pass(Buffer.from('freeze\n'), write);
  await turn();
  expect(bytes).toBe(4 * MIB);
  await all(window.heard(lines(`{"door":${2 * MIB}}`)));
  await turn();
  expect(bytes).toBe(6 * MIB);
  // What is told late, or twice, takes nothing back.
  await all(window.heard(lines(`{"door":${9 * MIB}}`, `{"door":${MIB}}`)));
  await Promise.all([sent, after]);
  expect(bytes).toBe(9 * MIB + 7);
});

test('the door’s own lines are not the job’s, and lines that only look alike are', async () => {
  const said = ['{"progress":0.5}', '{"door":1}', '{"door":"1"}', ' {"door":1}', '{"door":-1}', '{"done":true}'];
  const heard = await all(inputWindow().heard(lines(...said)));
  expect(heard).toEqual(said.filter((line) => line !== '{"door":1}'));
});

test('a container that has ended takes no more: who waits is told', async () => {
  const window = inputWindow();
  const sent = window.pass(Buffer.alloc(9 * MIB), async () => undefined);
  await turn();
  window.close();
  await expect(sent).rejects.toMatchObject({ code: 'CANCELLED' });
  await expect(window.pass(Buffer.alloc(1), async () => undefined)).rejects.toMatchObject({ code: 'CANCELLED' });
});
