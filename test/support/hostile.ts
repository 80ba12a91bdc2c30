import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerRun, Containers } from '../../agent/ports.ts';
import { type ContainerSpec, containerSpec } from '../../core/sandbox.ts';
import { answeringEngine, callEngine } from '../../scripts/lib/engine.mjs';
import { buildImage } from './build-image.ts';
import { type DeedStage, MIB } from './deed.ts';
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

/** Somebody else's container on the same engine, who is to notice nothing. */
export async function witness(stage: Pick<DeedStage, 'containers'>, image: string) {
  const run = await stage.containers.run(await spec(image, {}));
  const script = 'mkdir /tmp/mine; echo kept >/tmp/mine/file; while sleep 1; do cat /tmp/mine/file >&2; done';
  const params = { deed: Buffer.from(script).toString('base64') };
  await run.write(Buffer.from(`${JSON.stringify({ params, inputBytes: 0 })}\n`));
  const before = await askEngine(`/containers/${run.containerId}/json`);
  return {
    /** What is not as it was; empty: it has noticed nothing. */
    async noticed(): Promise<readonly string[]> {
      const now = await askEngine(`/containers/${run.containerId}/json`);
      return [
        ...(JSON.stringify(now?.['State']) === JSON.stringify(before?.['State']) ? [] : ['its state']),
        ...(JSON.stringify(now?.['Mounts']) === JSON.stringify(before?.['Mounts']) ? [] : ['its mounts']),
      ];
    },
    async close(): Promise<void> {
      await stage.containers.remove(run.containerId);
      await run.exited.catch(() => undefined);
    },
  };
}
