import { createHash } from 'node:crypto';
import { mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Checkpoints, forsake, noCheckpoints, openCheckpoints } from '../../../agent/checkpoints.ts';
import { framesOf } from '../../../agent/frames.ts';

let folder: string;
let path: string;
const failed = vi.fn();
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'idlemesh-checkpoints-'));
  path = join(folder, 'checkpoints');
  failed.mockClear();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

let reached = 0;
const opened = (maxBytes = 1e6): Promise<Checkpoints> =>
  openCheckpoints({ path, maxBytes, progress: () => reached, failed });

async function keep(log: Checkpoints, body: string, progress: number): Promise<void> {
  const sink = log.next(body.length);
  for (const piece of [body.slice(0, 3), body.slice(3)]) await sink.write(Buffer.from(piece));
  reached = progress;
  await sink.end();
}

/** What work that starts again is fed. */
async function fed(log: Checkpoints): Promise<readonly string[]> {
  const bodies: string[] = [];
  const bytes = (await readFile(path)).subarray(0, log.bytes);
  async function* once() {
    yield bytes;
  }
  for await (const part of framesOf(once())) {
    if (part.kind === 'head') bodies.push('');
    if (part.kind === 'body') bodies.push(`${bodies.pop()}${Buffer.from(part.chunk)}`);
  }
  return bodies;
}

/** Three kept checkpoints, one of them empty, and nothing open. */
async function three(): Promise<void> {
  const log = await opened();
  expect(log).toMatchObject({ bytes: 0, progress: 0 });
  await keep(log, 'the first', 0.25);
  await keep(log, '', 0.3);
  await keep(log, 'the third', 0.5);
  await log.close();
}

describe('checkpoints', () => {
  test('are there again as they were, with what was reached', async () => {
    await three();
    const again = await opened();
    expect(again.progress).toBe(0.5);
    expect(await fed(again)).toEqual(['the first', '', 'the third']);
    await keep(again, 'the fourth', 0.75);
    await again.close();
    const last = await opened();
    expect([await fed(last), last.progress]).toEqual([['the first', '', 'the third', 'the fourth'], 0.75]);
    await last.close();
  });
  test('that were not finished are not there', async () => {
    await three();
    const log = await opened();
    await log.next(100).write(Buffer.from('half of'));
    await log.close();
    const again = await opened();
    expect(await fed(again)).toEqual(['the first', '', 'the third']);
    expect((await stat(path)).size).toBe(again.bytes);
    await again.close();
  });
  test('torn anywhere leave those before the tear', async () => {
    await three();
    const all = await readFile(path);
    const wholes: number[] = [];
    for (let size = 0; size <= all.length; size += 7) {
      await writeFile(path, all);
      await truncate(path, size);
      const log = await opened();
      const bodies = await fed(log);
      expect(bodies).toEqual(['the first', '', 'the third'].slice(0, bodies.length));
      expect(log.bytes).toBeLessThanOrEqual(size);
      wholes.push(bodies.length);
      await log.close();
    }
    expect(new Set(wholes)).toEqual(new Set([0, 1, 2]));
  });
  test.each([
    ['its bytes', 256 + 4, []],
    ['the last one’s bytes', -2, ['the first', '']],
    ['its head', 12, []],
  ])('whose file has another byte in %s end before it', async (_where, at, left) => {
    await three();
    const file = await open(path, 'r+');
    const { size } = await file.stat();
    await file.write(Buffer.from([0]), 0, 1, at < 0 ? size + at : at);
    await file.close();
    const log = await opened();
    expect(await fed(log)).toEqual(left);
    await log.close();
  });
  test('are bounded together, those of earlier runs with them', async () => {
    const log = await opened(800);
    await keep(log, 'x'.repeat(200), 0.1);
    expect(() => log.next(100)).toThrow(expect.objectContaining({ code: 'WORKLOAD_FAILED' }));
    await keep(log, 'y'.repeat(80), 0.2);
    await log.close();
    const again = await opened(800);
    expect(() => again.next(0)).toThrow(expect.objectContaining({ code: 'WORKLOAD_FAILED' }));
    await again.close();
  });
  test('that cannot be written any more are told of once; nothing throws', async () => {
    await three();
    const log = await opened();
    await log.close();
    await keep(log, 'lost', 0.6);
    await keep(log, 'lost too', 0.7);
    expect(failed).toHaveBeenCalledTimes(1);
    const again = await opened();
    expect([await fed(again), again.progress]).toEqual([['the first', '', 'the third'], 0.5]);
    await again.close();
  });
  test('are taken away once, and not again', async () => {
    await three();
    expect(await forsake(folder)).toBe(true);
    const log = await opened();
    expect(log.bytes).toBe(0);
    await log.close();
    expect(await forsake(folder)).toBe(false);
  });
});

describe('checkpoints without end', () => {
  const many = 10_000;

  test('end at a number: each is brought to the disk by itself', () => {
    const log = noCheckpoints(1e9);
    for (let n = 0; n < many; n++) log.next(0);
    expect(() => log.next(0)).toThrow(`it handed out more than ${many} checkpoints`);
  });

  test('end at it whenever they were handed out', async () => {
    const head = { frame: 'checkpoint', bytes: 0, sha256: createHash('sha256').digest('hex'), progress: 0.5 };
    await writeFile(path, `${JSON.stringify(head).padEnd(255)}\n`.repeat(many - 1));
    const log = await opened(1e9);
    await log.next(0).end();
    expect(() => log.next(0)).toThrow(`it handed out more than ${many} checkpoints`);
    await log.close();
  });

  test.each<[string, () => Promise<Checkpoints>]>([
    ['that has broken', () => opened(10_000)],
    ['that keeps none', async () => noCheckpoints(10_000)],
  ])('end at the same bytes on a disk %s', async (_what, open) => {
    const log = await open();
    await log.makeRoom();
    const hand = async (): Promise<void> => {
      for (;;) {
        const sink = log.next(1_000);
        await sink.write(Buffer.alloc(1_000));
        await sink.end();
      }
    };
    await expect(hand()).rejects.toThrow('its checkpoints are larger than 10000 bytes');
    await log.close();
  });
});
