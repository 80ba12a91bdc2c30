import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { framesOf } from '../../../agent/frames.ts';

type Frame = { readonly frame: 'checkpoint' | 'output'; readonly body: string; readonly whole: boolean };

/** The frames of a text that comes in pieces of the given sizes, over and over. */
async function framesIn(text: string, sizes: readonly number[] = [text.length]): Promise<readonly Frame[]> {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    const bytes = Buffer.from(text, 'latin1');
    for (let at = 0, turn = 0; at < bytes.length; turn++) {
      const size = Math.max(1, sizes[turn % sizes.length] ?? 1);
      yield bytes.subarray(at, at + size);
      at += size;
    }
  }
  const frames: Frame[] = [];
  for await (const part of framesOf(pieces())) {
    const last = frames.at(-1);
    if (part.kind === 'head') frames.push({ frame: part.head.frame, body: '', whole: false });
    else if (last !== undefined && part.kind === 'body') {
      frames[frames.length - 1] = { ...last, body: last.body + Buffer.from(part.chunk).toString('latin1') };
    } else if (last !== undefined) frames[frames.length - 1] = { ...last, whole: true };
  }
  return frames;
}

const written = (frames: readonly Pick<Frame, 'frame' | 'body'>[]): string =>
  frames.map(({ frame, body }) => `${JSON.stringify({ frame, bytes: body.length })}\n${body}`).join('');

const bodies = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const frames = fc.array(fc.record({ frame: fc.constantFrom('checkpoint' as const, 'output' as const), body: bodies }), {
  maxLength: 6,
});
const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 5 });

describe('frames', () => {
  test('come out as they went in, however the stream falls into pieces', async () => {
    await fc.assert(
      fc.asyncProperty(frames, sizes, async (all, cut) => {
        expect(await framesIn(written(all), cut)).toEqual(all.map((frame) => ({ ...frame, whole: true })));
      }),
    );
  });
  test('of a stream that is torn anywhere are whole up to there', async () => {
    await fc.assert(
      fc.asyncProperty(frames, fc.nat(4_000), sizes, async (all, at, cut) => {
        const text = written(all).slice(0, at);
        const whole = (await framesIn(text, cut)).filter((frame) => frame.whole);
        expect(whole).toEqual(all.slice(0, whole.length).map((frame) => ({ ...frame, whole: true })));
        expect(text.startsWith(written(whole))).toBe(true);
        const next = all[whole.length];
        if (next !== undefined) expect(text.length).toBeLessThan(written([...whole, next]).length);
      }),
    );
  });
  test('may say more than is asked for, and end in blanks', async () => {
    const head = '{"frame":"checkpoint","bytes":2,"sha256":"ab","progress":0.5,"else":1}   \n';
    expect(await framesIn(`${head}ok`)).toEqual([{ frame: 'checkpoint', body: 'ok', whole: true }]);
  });
  test.each([
    'no json\n',
    '\n',
    '[]\n',
    'null\n',
    '{"frame":"other","bytes":1}\nx',
    '{"frame":"output"}\n',
    '{"frame":"output","bytes":-1}\n',
    '{"frame":"output","bytes":1.5}\n',
    '{"frame":"output","bytes":"1"}\n',
    '{"frame":"output","bytes":1e300}\n',
    '{"frame":"checkpoint","bytes":1}\nxrest\n',
    'x'.repeat(10_000),
    `${' '.repeat(10_000)}\n`,
  ])('are not %j', async (text) => {
    await expect(framesIn(text)).rejects.toMatchObject({ code: 'WORKLOAD_FAILED' });
  });
  test('whatever arrives, it ends in frames or in one kind of error', async () => {
    await fc.assert(
      fc.asyncProperty(bodies, sizes, async (text, cut) => {
        const outcome = await framesIn(text, cut).catch((error: { readonly code?: string }) => error.code);
        if (!Array.isArray(outcome)) expect(outcome).toBe('WORKLOAD_FAILED');
      }),
    );
  });
});
