import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { ContainerRun, Containers } from '../../../agent/ports.ts';
import type { ContainerSpec } from '../../../core/sandbox.ts';
import { percentile } from '../yield/figures.ts';

type Worker = {
  /** Nanoseconds that so many rounds took. */
  readonly burn: (rounds: number) => Promise<{ readonly wall: number; readonly cpu: number; readonly sum: string }>;
  readonly end: () => Promise<void>;
};

/** A burner that answers questions, wherever it runs. */
async function worker(
  output: Readable,
  ask: (line: string) => Promise<unknown>,
  end: () => Promise<void>,
): Promise<Worker> {
  const lines = createInterface({ input: output })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done) throw new Error('the burner ended');
    return value;
  };
  if ((await next()) !== 'ready') throw new Error('the burner is not ready');
  return {
    async burn(rounds) {
      await ask(`burn ${rounds}\n`);
      const [wall = '', cpu = '', sum = ''] = (await next()).split(' ');
      return { wall: Number(wall), cpu: Number(cpu), sum };
    },
    end,
  };
}

const text = (line: string): Uint8Array => new TextEncoder().encode(line);

async function inside(containers: Containers, spec: ContainerSpec): Promise<Worker> {
  const run = await containers.run(spec);
  void silence(run);
  const end = () => containers.remove(run.containerId);
  return worker(
    Readable.from(run.stdout),
    (line) => run.write(text(line)),
    async () => {
      await end();
      await run.exited.catch(() => undefined);
    },
  );
}

async function silence(run: ContainerRun): Promise<void> {
  for await (const line of run.stderr) process.stderr.write(`${line}\n`);
}

/** The very file that the image holds, asked from a container of it. */
async function programOf(containers: Containers, spec: ContainerSpec, path: string): Promise<void> {
  const run = await containers.run(spec);
  void silence(run);
  await run.write(text('self\n'));
  const parts: Uint8Array[] = [];
  for await (const part of run.stdout) parts.push(part);
  await run.exited;
  await containers.remove(run.containerId);
  const greeting = 'ready\n'.length;
  await writeFile(path, Buffer.concat(parts).subarray(greeting));
  await chmod(path, 0o700);
}

function outside(path: string): Promise<Worker> {
  const child = spawn(path, [], { stdio: ['pipe', 'pipe', 'inherit'] });
  return worker(
    child.stdout,
    async (line) => child.stdin.write(line),
    async () => void child.kill(),
  );
}

export type Cost = {
  /** How much longer the same work takes inside, of the medians of each. */
  readonly wallPct: number;
  readonly cpuPct: number;
  readonly pairs: number;
  readonly medianMs: { readonly inside: number; readonly outside: number };
};

const over = (a: readonly number[], b: readonly number[]): number => (percentile(a, 50) / percentile(b, 50) - 1) * 100;

/** The same program, inside and beside it, in turns; who begins changes too. Only where the engine's machine is this one (Linux). */
export async function cost(containers: Containers, spec: ContainerSpec, pairs: number, rounds: number): Promise<Cost> {
  const folder = await mkdtemp(join(tmpdir(), 'idlemesh-bench-sandbox-'));
  const path = join(folder, 'burn');
  await programOf(containers, spec, path);
  const workers = [await inside(containers, spec), await outside(path)] as const;
  const times = workers.map(() => ({ wall: [] as number[], cpu: [] as number[] }));
  const sums = new Set<string>();
  try {
    for (const each of workers) await each.burn(rounds);
    for (let pair = 0; pair < pairs; pair++) {
      for (const at of pair % 2 === 0 ? [0, 1] : [1, 0]) {
        const took = await workers[at as 0 | 1].burn(rounds);
        times[at]?.wall.push(took.wall);
        times[at]?.cpu.push(took.cpu);
        sums.add(took.sum);
      }
    }
  } finally {
    await Promise.all(workers.map((each) => each.end()));
    await rm(folder, { recursive: true, force: true });
  }
  if (sums.size !== 1) throw new Error('the work inside is not the work outside');
  const [ours, theirs] = times;
  if (ours === undefined || theirs === undefined) throw new Error('nothing was measured');
  return {
    wallPct: over(ours.wall, theirs.wall),
    cpuPct: over(ours.cpu, theirs.cpu),
    pairs,
    medianMs: { inside: percentile(ours.wall, 50) / 1e6, outside: percentile(theirs.wall, 50) / 1e6 },
  };
}
