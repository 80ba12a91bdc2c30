import { describe, expect, it } from 'vitest';
import { Intake } from '../../../coordinator/intake.ts';

describe('what a device sends', () => {
  function stuck() {
    const paused: boolean[] = [];
    const handled: string[] = [];
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const handle = async (text: string) => {
      await gate;
      handled.push(text);
    };
    const intake = new Intake(handle, (now) => paused.push(now));
    return { intake, paused, handled, release };
  }
  const large = 'x'.repeat(1_000_000);

  it('is handled in order', async () => {
    const { intake, handled, release } = stuck();
    for (const text of ['a', 'b', 'c']) expect(intake.take(text, 0)).toBe(true);
    release();
    await intake.settled();
    expect(handled).toEqual(['a', 'b', 'c']);
  });

  it('is not read on while much of it waits, in bytes or in messages, and is read again later', async () => {
    for (const text of [large, 'small']) {
      const { intake, paused, release } = stuck();
      for (let n = 0; paused.length === 0 && n < 1_100; n++) expect(intake.take(text, 0)).toBe(true);
      expect(paused).toEqual([true]);
      release();
      await intake.settled();
      expect(paused).toEqual([true, false]);
    }
  });

  it('is refused when it keeps coming all the same: memory stays bounded', () => {
    const { intake } = stuck();
    let taken = 0;
    while (taken < 100 && intake.take(large, 0)) taken += 1;
    expect(taken).toBe(4);
  });

  it('is refused when it comes faster than any device needs, and not at the pace of progress', async () => {
    const quick = new Intake(
      async () => undefined,
      () => undefined,
    );
    for (let n = 0; n < 5_000; n++) {
      expect(quick.take('p', 0)).toBe(true);
      if (n % 500 === 0) await quick.settled();
    }
    expect(quick.take('p', 0)).toBe(false);
    for (let ms = 10; ms < 20_000; ms += 10) {
      expect(quick.take('p', ms)).toBe(true);
      if (ms % 1_000 === 0) await quick.settled();
    }
  });
});
