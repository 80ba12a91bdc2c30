import { expect, test } from 'vitest';
import type { Attention } from '../../../agent/ports.ts';
import { watchSource } from '../../../agent/watched.ts';
import { FakeClock } from '../../fakes/clock.ts';

test.each<[string, readonly Attention[]]>([
  ['the same', ['watch']],
  ['closer and less close in turn', ['watch', 'ready']],
])('however often it is told how closely to look, %s, a slow source is read at its pace', async (_, told) => {
  const clock = new FakeClock();
  let free = 100;
  const watched = watchSource(
    {
      name: 'disk',
      every: { rest: 60_000, ready: 10_000, watch: 5_000 },
      timeoutMs: 1_000,
      read: async () => free,
    },
    { clock, sane: () => true, told: () => undefined },
  );
  await watched.attend('ready');
  expect(watched.value()).toBe(100);
  free = 0;
  for (let second = 0; second < 11; second += 1) {
    await watched.attend(told[second % told.length] ?? 'watch');
    await clock.advance(1_000);
  }
  expect(watched.value()).toBe(0);
  watched.close();
  expect(clock.pending()).toBe(0);
});

test('after a rest an answer to a question from before it will not do', async () => {
  const clock = new FakeClock();
  const answers: ((free: number) => void)[] = [];
  const watched = watchSource(
    {
      name: 'disk',
      every: { rest: null, ready: 10_000, watch: 5_000 },
      timeoutMs: 1_000,
      read: () => new Promise<number>((resolve) => answers.push(resolve)),
    },
    { clock, sane: () => true, told: () => undefined },
  );
  void watched.attend('ready');
  await watched.attend('rest');
  let known: unknown = 'not yet';
  const looked = watched.attend('ready').then(() => {
    known = watched.value();
  });
  answers[0]?.(100);
  await clock.advance(0);
  expect(known).toBe('not yet');
  await clock.advance(50);
  answers[1]?.(0);
  await looked;
  expect(known).toBe(0);
  watched.close();
});

test('nor is it waited for longer than any other', async () => {
  const clock = new FakeClock();
  const watched = watchSource(
    {
      ...{ name: 'disk', every: { rest: null, ready: 10_000, watch: 5_000 }, timeoutMs: 1_000 },
      read: () => new Promise<number>(() => undefined),
    },
    { clock, sane: () => true, told: () => undefined },
  );
  void watched.attend('ready');
  await watched.attend('rest');
  const looked = watched.attend('ready');
  await clock.advance(1_001);
  await looked;
  expect(watched.value()).toBe('unknown');
  watched.close();
});
