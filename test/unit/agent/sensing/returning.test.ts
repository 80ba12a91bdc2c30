import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { onceReturned } from '../../../../agent/adapters/returning.ts';

type Session = { readonly name: string };
const SOME: Session = { name: 'some' };
const OTHER: Session = { name: 'other' };

/** A conversation that comes and goes as it is told. */
function conversation(first: Session | null) {
  const watching = new Set<(session: Session | null) => void>();
  return {
    watching,
    get: async () => first,
    watch(listener: (session: Session | null) => void) {
      watching.add(listener);
      return () => void watching.delete(listener);
    },
    now(session: Session | null) {
      for (const listener of [...watching]) listener(session);
    },
  };
}

/** Arms like one who has to ask first; `answer` is that other one's answer. */
function asked() {
  const fires: (() => void)[] = [];
  const stopped: string[] = [];
  let answer = (): void => undefined;
  let refuse = (_: Error): void => undefined;
  const arm = (session: Session, fire: () => void): Promise<() => void> => {
    fires.push(fire);
    return new Promise((resolve, reject) => {
      answer = () => resolve(() => void stopped.push(session.name));
      refuse = reject;
    });
  };
  return { arm, fires, stopped, answer: () => answer(), refuse: () => refuse(new Error('no')) };
}

let returns = 0;
const listener = (): void => {
  returns += 1;
};
const settled = () => vi.advanceTimersByTimeAsync(0);
beforeEach(() => {
  returns = 0;
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('fires once at the first input, and leaves nothing behind', async () => {
  const kept = conversation(SOME);
  const { arm, fires, stopped, answer } = asked();
  onceReturned(kept, arm, listener);
  await settled();
  answer();
  await settled();
  expect(returns).toBe(0);
  fires[0]?.();
  fires[0]?.();
  kept.now(null);
  expect(returns).toBe(1);
  expect(stopped).toEqual(['some']);
  expect(kept.watching.size).toBe(0);
});

test('arms where arming needs no answer, and stops it when nobody waits any more', async () => {
  const kept = conversation(SOME);
  const stopped: string[] = [];
  const end = onceReturned(
    kept,
    ({ name }) =>
      () =>
        void stopped.push(name),
    listener,
  );
  await settled();
  end();
  kept.now(null);
  expect([returns, stopped, kept.watching.size]).toEqual([0, ['some'], 0]);
});

test('arms one conversation once, however it learns of it', async () => {
  const kept = conversation(SOME);
  const { arm, fires } = asked();
  onceReturned(kept, arm, listener);
  kept.now(SOME);
  await settled();
  expect(fires).toHaveLength(1);
});

test('input before the answer counts, and what was armed is stopped when the answer comes', async () => {
  const { arm, fires, stopped, answer } = asked();
  onceReturned(conversation(SOME), arm, listener);
  await settled();
  fires[0]?.();
  expect([returns, stopped]).toEqual([1, []]);
  answer();
  await settled();
  expect(stopped).toEqual(['some']);
});

test('an answer after the end is undone and calls nobody', async () => {
  const { arm, stopped, answer } = asked();
  const end = onceReturned(conversation(SOME), arm, listener);
  await settled();
  end();
  answer();
  await vi.advanceTimersByTimeAsync(1_000);
  expect([returns, stopped]).toEqual([0, ['some']]);
});

test('a conversation that goes is a return, for nobody can see one any more', async () => {
  const kept = conversation(SOME);
  const { arm, stopped, answer } = asked();
  onceReturned(kept, arm, listener);
  await settled();
  answer();
  await settled();
  kept.now(null);
  expect([returns, stopped]).toEqual([1, ['some']]);
});

test('without a conversation it gives up a moment later, unless nobody waits any more', async () => {
  onceReturned(conversation(null), asked().arm, listener);
  const end = onceReturned(conversation(null), asked().arm, listener);
  await settled();
  end();
  await vi.advanceTimersByTimeAsync(99);
  expect(returns).toBe(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(returns).toBe(1);
});

test('what cannot be armed is given up on once, though a conversation came in between', async () => {
  const kept = conversation(null);
  const { arm, refuse } = asked();
  onceReturned(kept, arm, listener);
  await settled();
  kept.now(OTHER);
  refuse();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(returns).toBe(1);
});
