import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { linuxProcesses } from '../../../agent/adapters/linux-processes.ts';
import type { Process, Source } from '../../../agent/ports.ts';
import { until } from '../../support/wait.ts';

const engine = (...args: readonly string[]): string => execFileSync('docker', args, { encoding: 'utf8' }).trim();

describe.skipIf(process.platform !== 'linux')('programs on Linux', () => {
  let folder: string;
  let source: Source<readonly Process[]>;
  let skew = 0;
  const started: ChildProcess[] = [];
  const containers: string[] = [];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'programs-'));
    source = linuxProcesses({ now: () => performance.now() + skew });
    await source.read();
  });
  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL');
    for (const id of containers.splice(0)) engine('rm', '-f', id);
    source.close?.();
    rmSync(folder, { recursive: true, force: true });
  });

  const place = (path: string): string => {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    return file;
  };
  const program = (path: string): string => {
    const file = place(path);
    copyFileSync('/bin/sleep', file);
    return file;
  };
  const script = (path: string, text: string): string => {
    const file = place(path);
    writeFileSync(file, text);
    chmodSync(file, 0o755);
    return file;
  };
  const start = (file: string, args: readonly string[] = [], argv0 = file): ChildProcess => {
    const child = spawn(file, args, { argv0, stdio: ['pipe', 'ignore', 'ignore'] });
    started.push(child);
    return child;
  };
  const seen = (what: string, test: (process: Process) => boolean): Promise<Process> =>
    until(what, async () => {
      const list = await source.read();
      return Array.isArray(list) && list.find(test);
    });
  const of = async (pid: number | undefined): Promise<Process | undefined> => {
    const list = await source.read();
    return Array.isArray(list) ? list.find((process) => process.pid === pid) : undefined;
  };

  it('sees a game in the first read after its start, and its end', async () => {
    const file = program('steamapps/common/Game/game');
    const child = start(file, ['60']);
    await new Promise((resolve) => child.once('spawn', resolve));
    expect(await of(child.pid)).toMatchObject({ name: 'game', path: file, launcherId: null });
    child.kill('SIGKILL');
    await until('its end', async () => (await of(child.pid)) === undefined);
  });

  it('sees a wrapper become a game, soon and late', async () => {
    const file = program('steamapps/common/Game/game');
    for (const wait of ['', 'read line\n']) {
      const wrapper = script('wrapper.sh', `#!/bin/sh\n${wait}exec '${file}' 60\n`);
      const child = start(wrapper);
      await seen('the wrapper or the game', ({ pid }) => pid === child.pid);
      if (wait !== '') {
        expect(await of(child.pid)).toMatchObject({ name: 'wrapper.sh' });
        // Older than what is looked at every time.
        skew += 3_500;
        await source.read();
        child.stdin?.write('\n');
      }
      expect(await seen('the game', ({ pid, name }) => pid === child.pid && name === 'game')).toMatchObject({
        path: file,
      });
      child.kill('SIGKILL');
    }
  });

  it("knows Steam's games by their launcher, also after the launcher's end", async () => {
    const file = program('library/odd/place/game');
    const reaper = place('ubuntu12_32/reaper');
    copyFileSync('/bin/dash', reaper);
    // A shell that is given a script by this name, and its arguments as Steam gives them.
    script('SteamLaunch', `'${file}' 60 &\nread line\n`);
    const child = spawn(reaper, ['SteamLaunch', 'AppId=620', '--', file], {
      cwd: folder,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    started.push(child);
    const game = await seen('the game', ({ name, path }) => name === 'game' && path === file);
    expect(game.launcherId).toBe('620');
    expect(game.launchedBy[0]).toBe('reaper');
    expect(await of(child.pid)).toMatchObject({ name: 'reaper', launcherId: null });
    child.stdin?.write('\n');
    await until('the end of the launcher', async () => (await of(child.pid)) === undefined);
    expect(await of(game.pid)).toMatchObject({ name: 'game', launcherId: '620' });
    process.kill(game.pid, 'SIGKILL');
  });

  it('names Windows programs under Wine and scripts under interpreters', async () => {
    const wine = program('proton/files/bin/wine64-preloader');
    start(wine, ['60'], 'Z:\\games\\Title\\Title.exe');
    start(wine, ['60'], 'C:\\Program Files\\Other\\other.exe');
    expect(await seen('Z:', ({ name }) => name === 'Title.exe')).toMatchObject({ path: '/games/Title/Title.exe' });
    expect(await seen('C:', ({ name }) => name === 'other.exe')).toMatchObject({
      path: 'C:\\Program Files\\Other\\other.exe',
    });
    const file = script('steamapps/common/Engine/start.sh', '#!/bin/sh\nread line\n');
    start(file);
    expect(await seen('the script', ({ name }) => name === 'start.sh')).toMatchObject({ path: file });
  });

  it('counts neither threads of the kernel, nor the dead, nor what runs in containers', async () => {
    const id = engine(
      'run',
      '-d',
      '--label',
      'idlemesh.test=programs',
      '--network',
      'none',
      'debian:bookworm-slim',
      'sleep',
      '61',
    );
    containers.push(id);
    const inside = Number(engine('inspect', '-f', '{{.State.Pid}}', id));
    expect(inside).toBeGreaterThan(1);
    // The parent never asks how its child ended.
    const parent = start('/usr/bin/python3', ['-c', 'import os,time\nif os.fork()==0: os._exit(0)\ntime.sleep(60)']);
    await until('the dead child', () =>
      execFileSync('sh', ['-c', `ps -o stat= --ppid ${parent.pid} || true`], { encoding: 'utf8' }).startsWith('Z'),
    );
    const list = await source.read();
    if (!Array.isArray(list)) throw new Error('no list');
    const pids = list.map(({ pid }) => pid);
    expect(pids).toContain(process.pid);
    expect(pids).not.toContain(2);
    expect(pids).not.toContain(inside);
    expect(
      list.filter(({ launchedBy, name }) => name.startsWith('python') && launchedBy[0]?.startsWith('python')),
    ).toEqual([]);
  });

  it('answers the same list while nothing changes, and sees a process whose number is used again', async () => {
    const root = join(folder, 'proc');
    const put = (pid: number, exe: string, parent = 1): void => {
      const place = join(root, String(pid));
      rmSync(place, { recursive: true, force: true });
      mkdirSync(place, { recursive: true });
      writeFileSync(join(place, 'stat'), `${pid} (a) b) c) S ${parent} 1 1 0 -1 4194304 0 0`);
      writeFileSync(join(place, 'cgroup'), '0::/user.slice\n');
      symlinkSync(exe, join(place, 'exe'));
    };
    mkdirSync(root);
    writeFileSync(join(root, 'loadavg'), '0.1 0.1 0.1 1/2 20\n');
    put(10, '/usr/bin/first');
    put(20, '/usr/bin/second (deleted)', 10);
    let now = 1_000_000;
    const recorded = linuxProcesses({ root, now: () => now });
    const first = await recorded.read();
    expect(first).toEqual([
      { pid: 10, name: 'first', path: '/usr/bin/first', launchedBy: [], launcherId: null },
      { pid: 20, name: 'second', path: '/usr/bin/second', launchedBy: ['first'], launcherId: null },
    ]);
    for (let tick = 0; tick < 200; tick += 1) {
      now += 100;
      expect(await recorded.read()).toBe(first);
    }
    put(20, '/usr/bin/other', 10);
    let reads = 0;
    let list = first;
    while (list === first && reads < 60) {
      now += 100;
      reads += 1;
      list = await recorded.read();
    }
    expect(list).toMatchObject([{ name: 'first' }, { name: 'other', path: '/usr/bin/other' }]);
    recorded.close?.();
  });
});
