import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DeedStage, deedStage, failureOf, MIB } from '../../support/deed.ts';

/** What a job pours out, holds back or draws out: the agent neither drowns in it nor waits for ever. */
let stage: DeedStage;
beforeAll(async () => {
  stage = await deedStage();
}, 300_000);
afterAll(async () => {
  expect(await stage.left()).toEqual([]);
  await stage.close();
});

/** The most that this process holds more than at the beginning, while something goes on. Bytes. */
async function heldDuring(work: Promise<unknown>): Promise<number> {
  const before = process.memoryUsage();
  let most = 0;
  let over = false;
  const ended = work.finally(() => {
    over = true;
  });
  while (!over) {
    const now = process.memoryUsage();
    most = Math.max(most, now.rss - before.rss, now.external - before.external);
    await Promise.race([ended.catch(() => undefined), delay(20)]);
  }
  return most;
}

describe('a flood', () => {
  test.each<[string, string]>([
    ['of one line without an end', `cat /dev/zero >&2`],
    ['of short lines', `yes >&2`],
    ['of progress', `yes '{"progress":0.5}' >&2`],
  ])(
    '%s on standard error ends the job, is said to be why, and fills nothing',
    async (_what, script) => {
      const done = stage.run({ script });
      const held = await heldDuring(done);
      expect(failureOf(await done)).toMatch(/said more than \d+ (bytes|lines)/);
      expect(held).toBeLessThan(96 * MIB);
    },
    60_000,
  );

  test('of output ends at the limit', async () => {
    const done = stage.run({ script: 'cat /dev/zero', limits: { maxOutputBytes: 4 * MIB } });
    const held = await heldDuring(done);
    expect(failureOf(await done)).toBe(`the output is larger than ${4 * MIB} bytes`);
    expect(held).toBeLessThan(96 * MIB);
  }, 60_000);
});

describe('time', () => {
  test('a job that does nothing for ever is ended at its limit', async () => {
    const begun = Date.now();
    expect(failureOf(await stage.run({ script: 'sleep 600', limits: { seconds: 2 } }))).toBe('it took longer than 2 s');
    expect(Date.now() - begun).toBeLessThan(10_000);
  }, 30_000);

  test('so is one that says a byte now and then', async () => {
    const script = 'while :; do printf x; sleep 0.2; done';
    expect(failureOf(await stage.run({ script, limits: { seconds: 2 } }))).toBe('it took longer than 2 s');
  }, 30_000);

  test('so is one that heeds no signal', async () => {
    const script = `trap '' TERM INT HUP QUIT; while :; do sleep 1; done`;
    expect(failureOf(await stage.run({ script, limits: { seconds: 2 } }))).toBe('it took longer than 2 s');
  }, 30_000);

  test('what it was frozen for does not count', async () => {
    const script = `sleep 2; printf fine; echo '{"done":true}' >&2`;
    const { runner, done } = stage.begin({ script, limits: { seconds: 4 } });
    while (runner.view().phase !== 'running') await delay(20);
    const id = runner.containerId();
    if (id === null) throw new Error('no container');
    await stage.containers.freeze(id);
    runner.frozen(true);
    await delay(5_000);
    await stage.containers.thaw(id);
    runner.frozen(false);
    expect((await done).ending.kind).toBe('finished');
  }, 30_000);
});

describe('a door', () => {
  test('whose input nobody reads holds up nothing and is filled no further than its pipes', async () => {
    const input = Buffer.alloc(64 * MIB, 1);
    const limits = { seconds: 3, maxInputBytes: 64 * MIB };
    const done = stage.run({ script: 'sleep 600', input, limits });
    const held = await heldDuring(done);
    expect(failureOf(await done)).toBe('it took longer than 3 s');
    expect(held).toBeLessThan(96 * MIB);
  }, 30_000);

  test('that closes early is the job’s affair', async () => {
    const script = `exec 0<&-; printf fine; echo '{"done":true}' >&2`;
    const { ending } = await stage.run({ script, input: Buffer.alloc(8 * MIB, 1) });
    expect(ending.kind).toBe('finished');
  }, 30_000);
});

test('open files have a number, and what breaks leaves no memory image behind', async () => {
  const script = `
    perl -e 'my @f; while (open my $f, "<", "/dev/null") { push @f, $f } print STDERR "opened ", scalar @f, "\\n"'
    cd /tmp; perl -e 'kill SEGV => $$'; echo "broke with $?" >&2; echo "left: $(ls /tmp)" >&2; exit 1`;
  const said = failureOf(await stage.run({ script }));
  expect(Number(/opened (\d+)/.exec(said)?.[1])).toBeLessThan(256);
  expect(said).toContain('broke with 139');
  expect(said).toMatch(/left: $/m);
}, 30_000);
