import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { systemClock } from '../../agent/adapters/clock.ts';
import { linesOf } from '../../agent/adapters/docker-stream.ts';
import type { ContainerRun } from '../../agent/ports.ts';
import { openService, type Service } from '../../agent/service.ts';

/** A service workload of this checkout as a process of its own, without a container around it. */
export function serviceRunOf(workload: string, env: Readonly<Record<string, string>>) {
  const main = join(import.meta.dirname, '../../workloads', workload, 'main.mjs');
  const child = spawn(process.execPath, [main], { env, stdio: 'pipe' });
  const { stdin, stdout, stderr } = child;
  stdin.on('error', () => undefined);
  const exited = once(child, 'exit').then(([code]) => ({ code: Number(code ?? 137), outOfMemory: false }));
  const run: ContainerRun = {
    containerId: workload,
    async write(chunk) {
      if (!stdin.write(chunk)) await Promise.race([once(stdin, 'drain'), exited]);
    },
    shut: () => void stdin.end(),
    stdout,
    stderr: linesOf(stderr),
    exited,
  };
  return { run, child, exited };
}

/** The same, spoken to. */
export function serviceProcess(workload: string, env: Readonly<Record<string, string>>) {
  const { run, child, exited } = serviceRunOf(workload, env);
  const service: Service = openService(run, { clock: systemClock });
  return {
    service,
    /** In good order: its input ends. */
    async close() {
      service.close();
      await exited;
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
