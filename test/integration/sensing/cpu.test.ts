import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { cpuByOthers } from '../../../agent/adapters/cpu.ts';
import { containerCpuSeconds } from '../../support/container-cpu.ts';

const engine = (...args: readonly string[]): string => execFileSync('docker', args, { encoding: 'utf8' }).trim();
/** One core, as a percentage of all. */
const CORE = 100 / availableParallelism();

describe.skipIf(process.platform !== 'linux')('processor time of others, on this machine', () => {
  const burning: ChildProcess[] = [];
  const containers: string[] = [];
  afterEach(() => {
    for (const child of burning.splice(0)) child.kill('SIGKILL');
    for (const id of containers.splice(0)) engine('rm', '-f', id);
  });
  const measure = async (ours: () => Promise<number>): Promise<{ readonly with: number; readonly without: number }> => {
    const two = [cpuByOthers({ ours }), cpuByOthers({ ours: async () => 0 })];
    const read = () => Promise.all(two.map((source) => source.read()));
    await read();
    // The time that the figure is about.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const [mine, all] = await read();
    if (typeof mine !== 'number' || typeof all !== 'number') throw new Error('doubt');
    return { with: mine, without: all };
  };

  it('counts a program of somebody else, and not our container', async () => {
    const id = engine(
      ...['run', '-d', '--label', 'idlemesh.test=cpu', '--network', 'none', '--cpus', '0.8'],
      ...['debian:bookworm-slim', 'sh', '-c', 'while :; do :; done'],
    );
    containers.push(id);
    const inside = await measure(() => containerCpuSeconds(id));
    // Other tests may use the rest of the machine: the container's part is the difference.
    expect(inside.without - inside.with).toBeGreaterThan(0.25 * CORE);
    expect(inside.without - inside.with).toBeLessThan(1.1 * CORE);

    engine('rm', '-f', ...containers.splice(0));
    burning.push(spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }));
    const outside = await measure(async () => 0);
    expect(outside.with).toBeGreaterThan(0.25 * CORE);
  });
});
