import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Processor seconds that a running container has used, from its control group of either version. */
export async function containerCpuSeconds(id: string): Promise<number> {
  const pid = execFileSync('docker', ['inspect', '-f', '{{.State.Pid}}', id], { encoding: 'utf8' }).trim();
  for (const line of readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n')) {
    const [, controllers = '', path = ''] = line.split(':');
    if (!path.includes(id)) continue;
    if (controllers.split(',').includes('cpuacct')) {
      return Number(readFileSync(`/sys/fs/cgroup/cpuacct${path}/cpuacct.usage`, 'utf8')) / 1e9;
    }
    if (controllers === '') {
      const usage = /usage_usec (\d+)/.exec(readFileSync(`/sys/fs/cgroup${path}/cpu.stat`, 'utf8'))?.[1];
      return Number(usage) / 1e6;
    }
  }
  throw new Error(`no control group of ${id}`);
}
