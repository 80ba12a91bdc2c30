import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Verifier } from '../../core/catalogue.ts';
import { Failure } from '../../core/errors.ts';
import type { OutputSource, VerifierTask } from '../../core/verifier.ts';

type Runs = {
  readonly run: (task: VerifierTask, signal: AbortSignal) => Promise<number>;
  readonly verifier: Verifier;
  /** Containers that are left of it. */
  readonly left: () => Promise<number>;
  readonly close: () => Promise<void>;
};

const MIB = 1024 * 1024;
const from = (bytes: Buffer): OutputSource => ({
  bytes: bytes.length,
  async *read() {
    for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
  },
});

/** What runs workloads' verifiers must do, with one that takes outputs for the same that differ in capital letters alone. */
export function verifierBehaviour(name: string, make: () => Promise<Runs>): void {
  describe(`what runs verifiers: ${name}`, () => {
    let runs: Runs;
    beforeAll(async () => {
      runs = await make();
    }, 300_000);
    afterAll(() => runs.close());
    const ask = (one: string | Buffer, other: string | Buffer, signal = new AbortController().signal) => {
      const outputs = [from(Buffer.from(one)), from(Buffer.from(other))] as const;
      return runs.run({ verifier: runs.verifier, outputs }, signal);
    };

    test.each<[string, string, number]>([
      ['an answer', 'AN answer', 0],
      ['an answer', 'another', 1],
      ['', 'something', 1],
      ['the longer one', 'the longer', 1],
    ])('of "%s" and "%s" it answers %i', async (one, other, code) => {
      expect(await ask(one, other)).toBe(code);
    });

    test('outputs larger than any window pass whole, the last byte of them included', async () => {
      const large = Buffer.alloc(9 * MIB, 'x');
      const [same, other] = [Buffer.from(large), Buffer.from(large)];
      same.write('X', large.length - 1);
      other.write('y', large.length - 1);
      expect([await ask(large, same), await ask(large, other)]).toEqual([0, 1]);
    }, 120_000);

    test.each([
      ['crashes with the code that means "different"', 'crash'],
      ['cannot say', 'doubt'],
      ['does not end', 'hangs'],
      ['wants more memory than it may have', 'greed'],
      ['is in a root file system that it cannot write to', 'floor'],
    ])(
      'one that %s has no say',
      async (_what, word) => {
        expect([0, 1]).not.toContain(await ask(word, word));
        expect(await runs.left()).toBe(0);
      },
      60_000,
    );

    test('an output that cannot be read is nobody’s answer', async () => {
      const torn: OutputSource = {
        bytes: 10,
        // biome-ignore lint/correctness/useYield: it breaks at its first byte
        async *read() {
          throw new Failure('NOT_FOUND', 'the disk is broken');
        },
      };
      const outputs = [from(Buffer.from('fine')), torn] as const;
      const asked = runs.run({ verifier: runs.verifier, outputs }, new AbortController().signal);
      await expect(asked).rejects.toMatchObject({ code: 'NOT_FOUND' });
      expect(await runs.left()).toBe(0);
    });

    test('it ends at once when nobody waits for it any more', async () => {
      const over = new AbortController();
      const asked = ask('hangs', 'hangs', over.signal);
      setTimeout(() => over.abort(), 500);
      await expect(asked).rejects.toMatchObject({ code: 'CANCELLED' });
      await expect(ask('a', 'a', over.signal)).rejects.toMatchObject({ code: 'CANCELLED' });
      expect(await runs.left()).toBe(0);
    });
  });
}
