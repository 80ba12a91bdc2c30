import { existsSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DeedStage, deedStage, failureOf, MIB } from '../../support/deed.ts';

/** What comes out of a job is a stranger's: bytes to be kept, and words to be shown. Nothing of it is obeyed. */
let stage: DeedStage;
beforeAll(async () => {
  stage = await deedStage();
}, 300_000);
afterAll(async () => {
  expect(await stage.left()).toEqual([]);
  await stage.close();
});

const DONE = `echo '{"done":true}' >&2`;
const CHECKPOINTS = { entry: { checkpoint: true } } as const;

describe('a result', () => {
  test('that is an archive of ways out of a folder is one file, as it came', async () => {
    const script = `
      mkdir -p /tmp/a/b && cd /tmp/a/b && echo gone >../../idlemesh-escaped && ln -s /etc/passwd link && ln -s / root
      tar -cPf - ../../idlemesh-escaped link root /etc/passwd 2>/dev/null; ${DONE}`;
    const { ending, output, files } = await stage.run({ script });
    expect(ending.kind).toBe('finished');
    expect(output?.toString('latin1')).toContain('../../idlemesh-escaped');
    expect(files).toEqual(['file input', 'file output']);
    expect(existsSync(`${dirname(stage.workspace.path)}/idlemesh-escaped`)).toBe(false);
    expect(readdirSync(stage.workspace.path)).toEqual([]);
  }, 60_000);

  test('that would be large once unpacked is as large as it came', async () => {
    const script = `head -c 40M /dev/zero | gzip -9; ${DONE}`;
    const { ending, output } = await stage.run({ script });
    expect(ending.kind).toBe('finished');
    expect(output?.length).toBeLessThan(MIB);
  }, 60_000);
});

const frame = (head: string, body = ''): string => `printf '%s\\n%s' '${head}' '${body}'`;
const OUTPUT = frame('{"frame":"output","bytes":2}', 'ok');

describe('frames', () => {
  test('that are as they should be give a result: the stage itself works', async () => {
    const script = `${frame('{"frame":"checkpoint","bytes":3}', 'one')}; ${OUTPUT}; ${DONE}`;
    const { ending, output } = await stage.run({ script, ...CHECKPOINTS });
    expect(ending.kind).toBe('finished');
    expect(output?.toString()).toBe('ok');
  }, 30_000);

  test.each<[string, string, string]>([
    ['less than nothing', frame('{"frame":"checkpoint","bytes":-1}'), 'its output is not in frames'],
    ['more than can be counted', frame('{"frame":"checkpoint","bytes":1e300}'), 'its output is not in frames'],
    ['half a byte', frame('{"frame":"output","bytes":0.5}'), 'its output is not in frames'],
    ['a number in words', frame('{"frame":"output","bytes":"2"}', 'ok'), 'its output is not in frames'],
    ['a kind that nobody knows', frame('{"frame":"command","bytes":2}', 'ok'), 'its output is not in frames'],
    ['another in itself', frame('{"frame":{"frame":"output","bytes":2}}', 'ok'), 'its output is not in frames'],
    [
      'what all objects inherit',
      frame('{"__proto__":{"frame":"output","bytes":2}}', 'ok'),
      'its output is not in frames',
    ],
    ['a head without an end', `head -c 8M /dev/zero`, 'its output is not in frames'],
    [
      'all there is',
      frame('{"frame":"checkpoint","bytes":9007199254740991}'),
      `its checkpoints are larger than ${32 * MIB} bytes`,
    ],
    [
      'a result for ever',
      `${frame('{"frame":"output","bytes":9007199254740991}')}; cat /dev/zero`,
      `the output is larger than ${16 * MIB} bytes`,
    ],
    ['two results', `${OUTPUT}; ${OUTPUT}`, 'more than one result'],
    ['a result that is cut off', frame('{"frame":"output","bytes":20}', 'ok'), 'it ended without a result'],
    ['none', 'true', 'it ended without a result'],
  ])(
    'of %s are the job’s failure, and it is said why',
    async (_what, script, why) => {
      expect(failureOf(await stage.run({ script: `${script}; ${DONE}`, ...CHECKPOINTS }))).toBe(why);
      expect(readdirSync(stage.workspace.path)).toEqual([]);
    },
    60_000,
  );
});

/** Octal, as printf of any shell wants it. */
const bytes = (text: string): string =>
  [...Buffer.from(text, 'latin1')].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');

describe('what a job says of itself', () => {
  test.each<[string, string]>([
    ['commands for a terminal', '\u001b[2J\u001b]0;all is well\u0007\u009b31m'],
    ['a byte that ends texts', 'text\u0000more'],
    ['what is no text', '\u00ff\u00fe\u00c3('],
    ['text that turns around', Buffer.from('photo\u202egpj.exe').toString('latin1')],
    ['a line that writes over another', 'bad\rgood\b\b\b'],
  ])(
    'with %s is shown without it',
    async (_what, text) => {
      for (const script of [
        `printf '${bytes(text)}\\n' >&2; exit 1`,
        `printf '${bytes(`${JSON.stringify({ error: text })}\n`)}' >&2; exit 1`,
      ]) {
        const said = failureOf(await stage.run({ script }));
        expect(said).toMatch(/^(exit code 1: )?.*\ufffd|good/);
        expect(said).not.toMatch(/[\p{Cc}\p{Cs}\u202a-\u202e]/u);
      }
    },
    60_000,
  );

  test('in figures that are none moves no progress, nor moves it back', async () => {
    const lines = [
      '{"progress":0.5}',
      '{"progress":0.25}',
      '{"progress":-1}',
      '{"progress":1e999}',
      '{"progress":NaN}',
    ];
    const odd = [
      '{"progress":"1"}',
      '{"progress":null}',
      '{"__proto__":{"progress":1,"done":true}}',
      '[{"progress":1}]',
      '1e999',
      '"x"',
    ];
    const script = `printf '%s\\n' ${[...lines, ...odd].map((line) => `'${line}'`).join(' ')} >&2; sleep 2; ${DONE}`;
    const { runner, done } = stage.begin({ script });
    const seen = new Set<number>();
    const look = setInterval(() => seen.add(runner.view().progress), 20);
    const { ending } = await done;
    clearInterval(look);
    expect([...seen].sort()).toEqual([0, 0.5]);
    expect(ending.kind).toBe('finished');
    expect(Object.hasOwn(Object.prototype, 'progress')).toBe(false);
  }, 30_000);

  test('is not believed when it is only inherited', async () => {
    const script = `echo '{"__proto__":{"done":true}}' >&2`;
    expect(failureOf(await stage.run({ script }))).toMatch(/^exit code 0/);
  }, 30_000);
});
