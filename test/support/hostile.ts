import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerRun, Containers } from '../../agent/ports.ts';
import { type ContainerSpec, containerSpec } from '../../core/sandbox.ts';
import { answeringEngine, callEngine } from '../../scripts/lib/engine.mjs';
import { buildImage } from './build-image.ts';
import { deedStage, MIB } from './deed.ts';
import { randomAddress, randomHex32 } from './random.ts';
import { seccompProfile } from './transcode.ts';

/** The deed image (test/images/deed) with something added that no honest image has. Lines of a Dockerfile; answers the content id. */
export async function hostileImage(name: string, lines: readonly string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'idlemesh-hostile-'));
  try {
    writeFileSync(join(folder, 'Dockerfile'), ['FROM idlemesh/test-deed:0.1.0', ...lines, ''].join('\n'));
    return await buildImage(folder, `idlemesh/test-hostile-${name}:0.1.0`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A whole answer of the engine about something; null: it is not there. */
export async function askEngine(path: string): Promise<Readonly<Record<string, unknown>> | null> {
  const place = await answeringEngine();
  if (place === undefined) throw new Error('no engine answers');
  const { status, text } = await callEngine(place, 'GET', path);
  return status === 200 ? JSON.parse(text) : null;
}

/** A launch from which a protection has been taken; `undefined` takes a field away. */
type Weaker = Readonly<Record<string, unknown>> & { readonly HostConfig?: Readonly<Record<string, unknown>> };

async function spec(image: string, weaker: Weaker): Promise<ContainerSpec> {
  const limits = {
    ...{ cpuCores: 1, memoryBytes: 64 * MIB, pids: 32, scratchBytes: 16 * MIB, seconds: 30 },
    ...{ maxInputBytes: MIB, maxOutputBytes: MIB },
  };
  const safe = containerSpec(
    { id: 'deed', version: '0.1.0', image, limits, loadsCode: false },
    { cpuCores: 1, memoryBytes: 64 * MIB, pids: 32 },
    { lease: randomHex32(), device: randomAddress(), instance: 'control' },
    await seccompProfile(),
  );
  return { ...safe, ...weaker, HostConfig: { ...safe.HostConfig, ...weaker.HostConfig } } as ContainerSpec;
}

async function said(run: ContainerRun): Promise<string> {
  const lines: string[] = [];
  const emptied = (async () => {
    for await (const _part of run.stdout);
  })();
  for await (const line of run.stderr) lines.push(line);
  await emptied;
  return lines.join('\n');
}

/**
 * The control of a test: the same image and the same deed, launched as the agent would but for what `weaker` takes away. What it
 * says on standard error; `look` is called while it runs.
 */
export async function unprotected(
  containers: Containers,
  attempt: { readonly image: string; readonly script: string; readonly weaker: Weaker },
  look: (containerId: string) => Promise<void> = async () => undefined,
): Promise<string> {
  const run = await containers.run(await spec(attempt.image, attempt.weaker));
  try {
    const params = { deed: Buffer.from(attempt.script).toString('base64') };
    const wrote = run.write(Buffer.from(`${JSON.stringify({ params, inputBytes: 0 })}\n`));
    const [heard] = await Promise.all([said(run), wrote.catch(() => undefined), look(run.containerId)]);
    return heard;
  } finally {
    await containers.remove(run.containerId);
    await run.exited.catch(() => undefined);
  }
}

/** The stage of deeds, with somebody else's container beside it who is to notice nothing. */
export async function hostileStage() {
  const stage = await deedStage();
  const other = await stage.containers.run(await spec(await hostileImage('plain', []), {}));
  const script = 'while sleep 1; do :; done';
  const params = { deed: Buffer.from(script).toString('base64') };
  await other.write(Buffer.from(`${JSON.stringify({ params, inputBytes: 0 })}\n`));
  const seen = async (): Promise<string> => {
    const told = await askEngine(`/containers/${other.containerId}/json`);
    return JSON.stringify([told?.['State'], told?.['Mounts'], told?.['RestartCount']]);
  };
  const before = await seen();
  return {
    ...stage,
    /** What is there that should not be, and who has noticed something; empty: nothing was harmed. */
    async harmed(): Promise<readonly string[]> {
      const left = await stage.left();
      return [
        ...left.map(({ id }) => `${id} is left`),
        ...((await seen()) === before ? [] : ['the other has noticed']),
      ];
    },
    async close(): Promise<void> {
      await stage.containers.remove(other.containerId);
      await other.exited.catch(() => undefined);
      await stage.close();
    },
  };
}
export type HostileStage = Awaited<ReturnType<typeof hostileStage>>;
