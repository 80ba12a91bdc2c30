import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answeringEngine, callEngine } from '../../../scripts/lib/engine.mjs';
import { type DeedStage, deedStage, failureOf, MIB } from '../../support/deed.ts';
import { doorImage } from '../../support/transcode.ts';
import { until } from '../../support/wait.ts';

/** The supervisor that is the first process of every container. */
let stage: DeedStage;
beforeAll(async () => {
  stage = await deedStage();
}, 300_000);
afterAll(async () => {
  expect(await stage.left()).toEqual([]);
  await stage.close();
});
const DONE = `echo '{"done":true}' >&2`;

async function engine(method: 'DELETE' | 'POST', path: string, body?: object) {
  const place = await answeringEngine();
  if (place === undefined) throw new Error('no engine answers');
  return callEngine(
    place,
    method,
    path,
    body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)), type: 'application/json' },
  );
}

describe('ends the work when nobody holds its door any more', () => {
  test.each<[string, string]>([
    ['that never reads its input', 'while :; do :; done'],
    ['that heeds no signal', `trap '' TERM INT HUP; while :; do sleep 1; done`],
    ['that has closed its input', 'exec 0<&-; while :; do :; done'],
    ['that has children of its own', '(while :; do :; done) & (setsid sleep 600) & wait'],
    ['that has left its parent', `perl -e 'if (!fork) { if (!fork) { 1 while 1 } exit } sleep 600'`],
  ])(
    'work %s',
    async (_what, script) => {
      const { runner, done } = stage.begin({ script, input: Buffer.alloc(8 * MIB), limits: { seconds: 60 } });
      await until('it runs', () => runner.view().phase === 'running');
      const begun = Date.now();
      runner.shut();
      expect((await done).ending).toEqual({ kind: 'released', killed: true });
      expect(Date.now() - begun).toBeLessThan(5_000);
    },
    30_000,
  );

  test('work that says that it has taken what it has not is ended at once', async () => {
    const script = `echo '{"door":999999999}' >&2; while :; do :; done`;
    const { done } = stage.begin({ script, input: Buffer.alloc(12 * MIB), limits: { seconds: 60 } });
    expect((await done).ending).toEqual({ kind: 'released', killed: true });
  }, 30_000);

  test('without it, work that never reads its input goes on: that is what it is for', async () => {
    const { runner, done } = stage.begin({ script: 'while :; do :; done', doorless: true, limits: { seconds: 4 } });
    await until('it runs', () => runner.view().phase === 'running');
    runner.shut();
    expect(failureOf(await done)).toBe('it took longer than 4 s');
  }, 30_000);
});

describe('is not noticed by the work', () => {
  test('input arrives as it was sent, and output leaves as it was written', async () => {
    const input = randomBytes(12 * MIB);
    const { output, ending } = await stage.run({ script: `head -c ${input.length}; ${DONE}`, input });
    expect(ending.kind).toBe('finished');
    const hash = (bytes: Buffer | null) =>
      createHash('sha256')
        .update(bytes ?? '')
        .digest('hex');
    expect(hash(output)).toBe(hash(input));
  }, 60_000);

  test.each<[string, string, string]>([
    ['a number', 'exit 7', 'exit code 7'],
    ['a signal of its own', 'kill -SEGV $$', 'exit code 139'],
  ])(
    'it ends with %s',
    async (_what, script, said) => {
      expect(failureOf(await stage.run({ script }))).toContain(said);
    },
    30_000,
  );
});

test('the work cannot end, stop, read or replace it', async () => {
  const script = `
    for signal in KILL STOP TERM INT HUP USR1 CHLD; do kill -$signal 1; done; sleep 0.2
    (cat /proc/1/mem || cat /proc/1/environ || ls /proc/1/fd/ || readlink /proc/1/exe) >/dev/null 2>&1 && echo "read it" >&2
    (: >/run/door/door) 2>/dev/null && echo "wrote it" >&2
    (: >/run/door/other) 2>/dev/null && echo "wrote beside it" >&2
    rm -f /run/door/door 2>/dev/null && echo "removed it" >&2
    echo "first is $(cat /proc/1/comm)" >&2; exit 1`;
  const said = failureOf(await stage.run({ script }));
  expect(said).toContain('first is door');
  expect(said).not.toMatch(/read it|wrote|removed/);
}, 30_000);

describe('its volume', () => {
  const volume = async (): Promise<string> => `idlemesh-door-${(await doorImage()).slice(7, 23)}`;

  test.each(['removed', 'held by a container'])(
    'that holds something else is made anew or left, once it is %s',
    async (held) => {
      const name = await volume();
      await engine('DELETE', `/volumes/${name}`);
      // A volume that somebody else was quicker to fill: the shell's image has no /door, so it stays empty and is not ours.
      await engine('POST', '/volumes/create', { Name: name });
      const { status, text } = await engine('POST', '/containers/create', {
        ...{ Image: 'debian:bookworm-slim', Entrypoint: ['/bin/sh', '-c', 'echo evil >/door/door'] },
        HostConfig: { Mounts: [{ Type: 'volume', Source: name, Target: '/door' }], NetworkMode: 'none' },
      });
      expect([status, text]).toEqual([201, expect.anything()]);
      const { Id: id } = JSON.parse(text) as { readonly Id: string };
      await engine('POST', `/containers/${id}/start`);
      await engine('POST', `/containers/${id}/wait`);
      if (held === 'removed') await engine('DELETE', `/containers/${id}`);

      const fresh = await deedStage();
      try {
        const { ending } = await fresh.run({ script: DONE });
        expect(ending.kind).toBe('finished');
      } finally {
        await fresh.close();
        await engine('DELETE', `/containers/${id}`);
        await engine('DELETE', `/volumes/${name}-1`);
      }
    },
    60_000,
  );

  test('that is gone is made again', async () => {
    await engine('DELETE', `/volumes/${await volume()}`);
    expect((await stage.run({ script: DONE })).ending.kind).toBe('finished');
  }, 30_000);
});

test('without an image of it nothing runs, and it is said why', async () => {
  const image = `sha256:${'0'.repeat(64)}`;
  expect(failureOf(await stage.run({ script: DONE, door: image }))).toContain('the engine does not hold');
  expect(failureOf(await stage.run({ script: DONE, door: '' }))).toContain('the catalogue has no door');
}, 30_000);
