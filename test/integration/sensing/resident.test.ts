import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Resident, type ResidentOptions, resident } from '../../../agent/adapters/resident.ts';
import { until } from '../../support/wait.ts';

type Said = { readonly n: number };

describe('a resident helper', () => {
  let folder: string;
  let helper: Resident<Said> | null = null;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'resident-'));
  });
  afterEach(async () => {
    helper?.close();
    helper = null;
    for (const pid of pids()) await until(`the end of ${pid}`, () => !alive(pid));
    rmSync(folder, { recursive: true, force: true });
  });

  const say = (line: string): void => appendFileSync(join(folder, 'lines'), `${line}\n`);
  const pids = (): readonly number[] => {
    const file = join(folder, 'pids');
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').map(Number) : [];
  };
  function alive(pid: number): boolean {
    try {
      return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.startsWith('Z') === false;
    } catch {
      return false;
    }
  }
  /** Repeats what it is told through a file, from the beginning at each start. */
  function begin(options: Partial<ResidentOptions<Said>> = {}): Resident<Said> {
    writeFileSync(join(folder, 'lines'), '', { flag: 'a' });
    helper = resident<Said>({
      command: '/bin/sh',
      args: ['-c', `echo $$ >> '${folder}/pids'; exec tail -n +1 -s 0.02 -f '${folder}/lines'`],
      parse(line) {
        if (line === 'part') return 'more';
        return { n: JSON.parse(line).n };
      },
      ...{ staleMs: 30_000, lingerMs: 30_000, firstPauseMs: 50 },
      ...options,
    });
    return helper;
  }

  it('starts when first asked, and answers with its newest line', async () => {
    const it = begin();
    expect(pids()).toEqual([]);
    say('{"n":1}');
    expect(await it.read()).toEqual({ n: 1 });
    say('part');
    say('{"n":2}');
    await until('the second line', async () => JSON.stringify(await it.read()) === '{"n":2}');
    expect(pids()).toHaveLength(1);
  });

  it('tells listeners of each answer, and ends when nobody asks or listens', async () => {
    const it = begin({ lingerMs: 100 });
    let told = 0;
    const off = it.onChange(() => {
      told += 1;
    });
    say('{"n":1}');
    await until('the first', () => told === 1);
    say('{"n":2}');
    await until('the second', () => told === 2);
    const [pid = 0] = pids();
    expect(alive(pid)).toBe(true);
    off();
    await until('its end', () => !alive(pid));
    expect(told).toBe(2);
    expect(await it.read()).toEqual({ n: 2 });
    expect(pids()).toHaveLength(2);
  });

  it('is in doubt at garbage, until it speaks sense again', async () => {
    const it = begin();
    say('Segmentation fault');
    expect(await it.read()).toBe('unknown');
    say('{"n":3}');
    await until('sense', async () => JSON.stringify(await it.read()) === '{"n":3}');
  });

  it('is in doubt when killed, and comes back by itself', async () => {
    const it = begin();
    const values: string[] = [];
    it.onChange(() => void it.read().then((value) => values.push(JSON.stringify(value))));
    say('{"n":1}');
    await until('an answer', () => values.includes('{"n":1}'));
    const [pid = 0] = pids();
    process.kill(pid, 'SIGKILL');
    await until('doubt', () => values.includes('"unknown"'));
    await until('another', () => pids().length === 2);
    await until('an answer again', () => values.at(-1) === '{"n":1}');
  });

  it('is ended when it hangs, and pauses longer and longer', async () => {
    const it = begin({ staleMs: 60, firstPauseMs: 100 });
    const from = performance.now();
    expect(await it.read()).toBe('unknown');
    it.onChange(() => undefined);
    await until('three attempts', () => pids().length === 3);
    // 60 + 100 + 60 + 200: a helper without pauses would have begun three times long before.
    expect(performance.now() - from).toBeGreaterThan(400);
    await until('the end of the first two', () => pids().filter(alive).length <= 1);
  });

  it('is ended when a line has no end', async () => {
    const it = begin({ command: '/bin/sh', args: ['-c', 'yes | tr -d "\\n"'] });
    expect(await it.read()).toBe('unknown');
  });

  it('is unavailable where it is not installed, and in doubt where it may not be run', async () => {
    expect(await begin({ command: join(folder, 'nothing') }).read()).toBe('unavailable');
    helper?.close();
    expect(await begin({ command: join(folder, 'lines') }).read()).toBe('unknown');
  });
});
