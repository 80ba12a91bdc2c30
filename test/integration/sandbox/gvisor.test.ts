import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DeedStage, deedStage, failureOf, MIB } from '../../support/deed.ts';
import { SecondEngine } from '../../support/second-engine.ts';
import { doorImage } from '../../support/transcode.ts';
import { until } from '../../support/wait.ts';

/** Work on a kernel of its own, on an engine that offers it. */
const engine = new SecondEngine();
let stage: DeedStage;
beforeAll(async () => {
  // Builds the image on the machine's own engine.
  await (await deedStage()).close();
  await engine.start();
  await engine.take('idlemesh/test-deed:0.1.0', await doorImage());
  stage = await deedStage({ socketPath: engine.socketPath, runtime: 'runsc' });
}, 300_000);
afterAll(async () => {
  await stage?.close();
  await engine.close();
}, 60_000);
const DONE = `echo '{"done":true}' >&2`;

test('the engine says that it offers it, and a trial shows that it works; a runtime that is not there does not', async () => {
  await stage.containers.check();
  expect(stage.containers.facts()?.runtimes).toContain('runsc');
  expect(await stage.containers.runsUnder('runsc', await doorImage(), stage.device)).toBe(true);
  expect(await stage.containers.runsUnder('gone', await doorImage(), stage.device)).toBe(false);
}, 60_000);

test('a job runs on another kernel than the machine’s, with its input and its output', async () => {
  const input = Buffer.from('some input');
  const script = `head -c ${input.length}; cat /proc/version >&2; ${DONE}`;
  const { ending, output } = await stage.run({ script, input });
  expect(ending.kind).toBe('finished');
  expect(output?.equals(input)).toBe(true);
  // gVisor's own kernel always says the same of itself.
  expect(failureOf(await stage.run({ script: 'cat /proc/version >&2; exit 1' }))).toContain('Linux version 4.4.0');
}, 60_000);

describe('limits hold under it:', () => {
  test('memory', async () => {
    const script = `perl -e 'push @all, "x" x (1 << 20) while 1'`;
    const said = failureOf(await stage.run({ script, limits: { memoryBytes: 128 * MIB } }));
    expect(said).toMatch(/ran out of memory|released|137/);
  }, 60_000);
  test('time', async () => {
    expect(failureOf(await stage.run({ script: 'sleep 600', limits: { seconds: 3 } }))).toBe('it took longer than 3 s');
  }, 60_000);
});

test('a container that is frozen is removed at once, though gVisor would not hear of a kill', async () => {
  const { runner, done } = stage.begin({ script: 'sleep 600' });
  await until('it runs', () => runner.view().phase === 'running');
  const id = runner.containerId();
  if (id === null) throw new Error('no container');
  await stage.containers.freeze(id);
  const begun = Date.now();
  await stage.containers.remove(id);
  expect(Date.now() - begun).toBeLessThan(5_000);
  await done;
}, 60_000);

test('work ends when nobody holds its door', async () => {
  const { runner, done } = stage.begin({ script: 'while :; do :; done', limits: { seconds: 50 } });
  await until('it runs', () => runner.view().phase === 'running');
  const begun = Date.now();
  runner.shut();
  expect((await done).ending.kind).toBe('released');
  expect(Date.now() - begun).toBeLessThan(10_000);
}, 60_000);

test('limits that it cannot change while a job runs end the job: it starts again within them', async () => {
  const { runner, done } = stage.begin({ script: 'sleep 600' });
  await until('it runs', () => runner.view().phase === 'running');
  runner.share({ cpuCores: 0.5, memoryBytes: 256 * MIB, pids: 64 });
  expect((await done).ending).toEqual({ kind: 'released' });
}, 60_000);
