import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DeedStage, deedStage } from '../../support/deed.ts';
import { SecondEngine } from '../../support/second-engine.ts';
import { doorImage } from '../../support/transcode.ts';
import { until } from '../../support/wait.ts';

/** An engine that dies and comes back while work runs on it. */
const engine = new SecondEngine();
let stage: DeedStage;
beforeAll(async () => {
  await (await deedStage()).close();
  await engine.start();
  await engine.take('idlemesh/test-deed:0.1.0', await doorImage());
  stage = await deedStage({ socketPath: engine.socketPath });
}, 300_000);
afterAll(async () => {
  await stage?.close();
  await engine.close();
}, 60_000);

test('work on an engine that is killed is released, told of, and runs again when the engine is back; nothing of it is left over', async () => {
  const { containers, device } = stage;
  const told: string[] = [];
  const unsubscribe = containers.onEvent(device, () => told.push('changed'));
  expect(await containers.check()).toMatchObject({ kind: 'ready' });
  const { runner, done } = stage.begin({ script: 'sleep 600', limits: { seconds: 120 } });
  await until('it runs', () => runner.view().phase === 'running');
  const before = told.length;

  await engine.kill();
  expect((await done).ending).toMatchObject({ kind: 'released' });
  expect(await containers.check()).toMatchObject({ kind: 'absent' });
  await expect(containers.list(device)).rejects.toMatchObject({ code: 'ENGINE_AWAY' });

  await engine.start();
  expect(await containers.check()).toMatchObject({ kind: 'ready' });
  await until('it is told of', () => told.length > before);
  // What the dead engine left is seen, and can be removed.
  for (const { id } of await containers.list(device)) await containers.remove(id);
  expect(await containers.list(device)).toEqual([]);
  const again = await stage.run({ script: `printf again; echo '{"done":true}' >&2` });
  expect(again.output?.toString()).toBe('again');
  unsubscribe();
}, 120_000);
