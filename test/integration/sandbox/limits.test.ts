import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DeedStage, deedStage, failureOf, MIB } from '../../support/deed.ts';

/** Each limit is tried, not read back: what the job says it got, or what became of it. */
let stage: DeedStage;
beforeAll(async () => {
  stage = await deedStage();
}, 300_000);
afterAll(async () => {
  expect(await stage.left()).toEqual([]);
  await stage.close();
});

/** A result is its output; `done` is how a job says that it is whole. */
const DONE = `echo '{"done":true}' >&2`;

test('a job within its limits has a result: the stage itself works', async () => {
  const { ending, output } = await stage.run({ script: `printf hello; ${DONE}` });
  expect(ending.kind).toBe('finished');
  expect(output?.toString()).toBe('hello');
}, 30_000);

/** As much memory as it can get, MiB by MiB; each is told of. */
const HOARD = `perl -e '$| = 1; for my $n (1..512) { push @all, "x" x (1 << 20); print STDERR "has $n MiB\\n" }'`;

test('memory: a job that takes more than its limit is ended, and it is said why', async () => {
  const got = failureOf(await stage.run({ script: HOARD, limits: { memoryBytes: 48 * MIB } }));
  expect(got).toBe('it ran out of memory');
  // The same in a larger one goes on: it is the limit that ended it.
  const larger = await stage.run({ script: `${HOARD} 2>/dev/null; ${DONE}`, limits: { memoryBytes: 700 * MIB } });
  expect(larger.ending.kind).toBe('finished');
}, 60_000);

test('memory: a child that is killed for it is the job’s failure, though the job itself ends well', async () => {
  const script = `${HOARD} 2>/dev/null & wait; printf fine; ${DONE}; exit 0`;
  expect(failureOf(await stage.run({ script, limits: { memoryBytes: 48 * MIB } }))).toBe('it ran out of memory');
}, 60_000);

test('memory: what lies in a memory file system counts', async () => {
  const fill = (path: string) => `head -c 60M /dev/zero >${path}; printf kept; ${DONE}`;
  const limits = { memoryBytes: 32 * MIB, scratchBytes: 512 * MIB };
  expect(failureOf(await stage.run({ script: fill('/tmp/x'), limits }))).toBe('it ran out of memory');
}, 60_000);

/** Busy for four seconds on so many processes; says how much processor time they got, in cores. */
const busy = (count: number): string => `perl -e '
  sub now { open my $f, "<", "/proc/uptime"; (split / /, <$f>)[0] }
  my $from = now(); my @pids;
  for (1..${count}) { my $p = fork; if (!$p) { while (now() < $from + 4) { my $x = 0; $x++ for 1..100000 } exit } push @pids, $p }
  waitpid $_, 0 for @pids; my @t = times; printf STDERR "cores %.3f\\n", ($t[2] + $t[3]) / (now() - $from);'`;
const coresIn = (said: string): number => Number(/cores ([0-9.]+)/.exec(said)?.[1] ?? Number.NaN);

test('processor: processes enough to take it all get their share and no more', async () => {
  const said = failureOf(await stage.run({ script: `${busy(4)}; exit 1`, limits: { cpuCores: 0.5 } }));
  expect(coresIn(said)).toBeGreaterThan(0.1);
  expect(coresIn(said)).toBeLessThan(0.56);
}, 60_000);

test('processor: a share that is made smaller holds at once', async () => {
  const share = { cpuCores: 0.5, memoryBytes: 1024 * MIB, pids: 512 };
  const { runner, done } = stage.begin({ script: `${busy(4)}; exit 1`, share });
  while (runner.view().phase !== 'running') await new Promise((resolve) => setTimeout(resolve, 20));
  runner.share({ ...share, cpuCores: 0.1 });
  expect(coresIn(failureOf(await done))).toBeLessThan(0.2);
}, 60_000);

test('processes: a fork bomb gets as many as it may have, and is gone with the job', async () => {
  const script = `perl -e 'my $n = 0; while (1) { my $p = fork; if (!defined $p) { print STDERR "stopped after $n: $!\\n"; last }
    if (!$p) { sleep 60; exit } $n++ }'; exit 1`;
  const said = failureOf(await stage.run({ script, limits: { pids: 24 } }));
  const got = Number(/stopped after (\d+)/.exec(said)?.[1]);
  expect(got).toBeGreaterThan(10);
  expect(got).toBeLessThan(24);
}, 60_000);

test('disk: the scratch space ends where it was said to, and nothing else can be written', async () => {
  const script = `
    head -c 40M /dev/zero >/tmp/x 2>/dev/null; echo "scratch $(stat -c %s /tmp/x)" >&2
    head -c 4M /dev/zero >/dev/shm/x 2>/dev/null; echo "shm $(stat -c %s /dev/shm/x)" >&2
    for path in / /etc /var /run /usr/bin /home /root /opt /dev /proc /sys; do
      if (: >$path/idlemesh) 2>/dev/null; then echo "wrote $path" >&2; fi
    done
    exit 1`;
  const said = failureOf(await stage.run({ script, limits: { scratchBytes: 8 * MIB } }));
  expect(said).toContain(`scratch ${8 * MIB}`);
  expect(said).toContain(`shm ${MIB}`);
  expect(said).not.toContain('wrote');
}, 60_000);

test('disk: files without number end at a number', async () => {
  const script = `perl -e 'my $n = 0; $n++ while open my $f, ">", "/tmp/$n"; print STDERR "made $n: $!\\n"'; exit 1`;
  const said = failureOf(await stage.run({ script, limits: { memoryBytes: 256 * MIB, scratchBytes: 200 * MIB } }));
  expect(Number(/made (\d+)/.exec(said)?.[1])).toBeLessThanOrEqual(65_536);
  expect(said).toContain('No space left');
}, 60_000);
