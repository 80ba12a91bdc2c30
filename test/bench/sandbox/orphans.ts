import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Containers } from '../../../agent/ports.ts';
import type { Address } from '../../../core/primitives.ts';
import type { ContainerSpec } from '../../../core/sandbox.ts';

/** What is left to itself must be gone by then, ms. */
const GRACE_MS = 10_000;

export type Orphans = {
  /** Containers that still ran ten seconds after their agent was killed. */
  readonly running: number;
  /** Frozen ones: they use nothing, and are removed at the next start. */
  readonly frozen: number;
  readonly launched: number;
};

/** Kills a process that holds containers, so many times. */
export async function orphansAfter(
  kills: number,
  containers: Containers,
  device: Address,
  spec: ContainerSpec,
): Promise<Orphans> {
  let [running, frozen, launched] = [0, 0, 0];
  for (let kill = 0; kill < kills; kill++) {
    const args = ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'victim-process.ts')];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(JSON.stringify(spec));
    const [said] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(() => [''])]);
    if (String(said) !== 'ready\n') throw new Error('the process that is to be killed did not get ready');
    launched += (await containers.list(device)).length;
    child.kill('SIGKILL');
    await delay(GRACE_MS);
    const left = await containers.list(device);
    running += left.filter(({ state }) => state === 'running').length;
    frozen += left.filter(({ state }) => state === 'paused').length;
    for (const { id } of left) await containers.remove(id);
  }
  return { running, frozen, launched };
}
