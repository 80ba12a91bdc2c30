import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { dockerContainers } from '../../../agent/adapters/docker.ts';
import type { Address, Hex32 } from '../../../core/primitives.ts';
import { type ContainerSpec, containerSpec, limitUpdate } from '../../../core/sandbox.ts';
import { converse } from '../../support/job.ts';
import { randomAddress, randomHex32 } from '../../support/random.ts';
import { makeClip, seccompProfile, transcodeWorkload } from '../../support/transcode.ts';

const MIB = 1024 * 1024;
const device: Address = randomAddress();
const containers = dockerContainers({ log: () => undefined });
let workload: Awaited<ReturnType<typeof transcodeWorkload>>;
let profile: string;
let folder: string;

const spec = (leaseId: Hex32 = randomHex32()): ContainerSpec =>
  containerSpec(
    workload,
    { cpuCores: 2, memoryBytes: 1024 * MIB, pids: 512 },
    { lease: leaseId, device, instance: 'one' },
    profile,
  );

const PARAMS = { height: '240', preset: 'ultrafast', crf: '28' };

const header = (inputBytes: number): Buffer =>
  Buffer.from(`${JSON.stringify({ params: PARAMS, inputBytes, checkpointBytes: 0 })}\n`);

const own = () => containers.list(device);

beforeAll(async () => {
  workload = await transcodeWorkload();
  profile = await seccompProfile();
  folder = await mkdtemp(join(tmpdir(), 'idlemesh-docker-'));
}, 60_000);

afterEach(async () => {
  for (const container of await own()) await containers.remove(container.id);
});

afterAll(async () => {
  containers.close();
  await rm(folder, { recursive: true, force: true });
});

test('the engine is ready and holds the image by content id only', async () => {
  expect(await containers.check()).toMatchObject({ kind: 'ready' });
  expect(await containers.hasImage(workload.image)).toBe(true);
  expect(await containers.hasImage(`sha256:${'0'.repeat(64)}`)).toBe(false);
});

test('an engine that is not there is absent, with its reason', async () => {
  const nowhere = dockerContainers({ log: () => undefined, socketPath: join(folder, 'no.sock') });
  expect(await nowhere.check()).toMatchObject({ kind: 'absent', detail: expect.stringContaining('no.sock') });
  await expect(nowhere.list(device)).rejects.toMatchObject({ code: 'ENGINE_AWAY' });
});

test('freeze, thaw, limits and removal are seen by the engine and are safe to repeat', async () => {
  const events = vi.fn();
  const unsubscribe = containers.onEvent(device, events);
  const leaseId = randomHex32();
  const run = await containers.run(spec(leaseId));
  expect(await own()).toEqual([{ id: run.containerId, leaseId, instance: 'one', state: 'running' }]);
  await containers.freeze(run.containerId);
  await containers.freeze(run.containerId);
  expect(await own()).toMatchObject([{ state: 'paused' }]);
  await containers.setLimits(
    run.containerId,
    limitUpdate(workload, { cpuCores: 0.25, memoryBytes: 512 * MIB, pids: 40 }),
  );
  await containers.thaw(run.containerId);
  await containers.thaw(run.containerId);
  expect(await own()).toMatchObject([{ state: 'running' }]);
  await containers.freeze(run.containerId);
  await containers.remove(run.containerId);
  await containers.remove(run.containerId);
  expect((await run.exited).code).not.toBe(0);
  expect(await own()).toEqual([]);
  await vi.waitFor(() => expect(events).toHaveBeenCalled());
  unsubscribe();
}, 60_000);

const LIMITS = ['CpuPeriod', 'CpuQuota', 'Memory', 'MemorySwap', 'PidsLimit'] as const;

/** What the engine itself says that a container may use. */
async function limitsOf(containerId: string): Promise<unknown> {
  const { HostConfig: host } = await new Promise<{ HostConfig: Record<string, unknown> }>((resolve, reject) => {
    get({ socketPath: '/var/run/docker.sock', path: `/containers/${containerId}/json` }, (response) => {
      text(response).then((body) => resolve(JSON.parse(body)), reject);
    }).on('error', reject);
  });
  return Object.fromEntries(LIMITS.map((name) => [name, host[name]]));
}

test('new limits hold in a container that runs, and in one that is frozen', async () => {
  const run = await containers.run(spec());
  const small = limitUpdate(workload, { cpuCores: 0.25, memoryBytes: 256 * MIB, pids: 40 });
  await containers.setLimits(run.containerId, small);
  expect(await limitsOf(run.containerId)).toEqual({ ...small, PidsLimit: 40 });
  await containers.freeze(run.containerId);
  const large = limitUpdate(workload, { cpuCores: 1.5, memoryBytes: 768 * MIB, pids: 60 });
  await containers.setLimits(run.containerId, large);
  expect(await limitsOf(run.containerId)).toEqual(large);
}, 60_000);

test('the CPU time of containers is counted while they run, stands still while they are frozen, and never falls', async () => {
  const meter = dockerContainers({ log: () => undefined });
  expect(await meter.cpuSeconds(device)).toBe(0);
  const busy = { ...spec(), Entrypoint: ['/bin/sh', '-c', 'while :; do :; done'] };
  const run = await meter.run(busy);
  const reaches = (seconds: number) =>
    vi.waitFor(async () => expect(await meter.cpuSeconds(device)).toBeGreaterThan(seconds), 20_000);
  await reaches(0.2);
  await meter.freeze(run.containerId);
  const frozen = await meter.cpuSeconds(device);
  expect(await meter.cpuSeconds(device)).toBeCloseTo(frozen, 2);
  expect(await meter.cpuSeconds(randomAddress())).toBe(0);
  await meter.remove(run.containerId);
  await run.exited;
  expect(await meter.cpuSeconds(device)).toBeGreaterThanOrEqual(frozen);
  meter.close();
}, 60_000);

test('another device does not see it', async () => {
  await containers.run(spec());
  expect(await containers.list(randomAddress())).toEqual([]);
}, 60_000);

test('inside: no network, nobody, nothing writable but /tmp, no new namespace', async () => {
  const script = [
    'id -u; ls /sys/class/net; touch /x 2>/dev/null || echo read-only; touch /tmp/x && echo tmp',
    'unshare -U true 2>/dev/null || echo no-namespace; cat >/dev/null',
  ].join('; ');
  const base = spec();
  const shell = { ...base, Entrypoint: ['/bin/sh', '-c', script] };
  const run = await containers.run(shell);
  const seen: string[] = [];
  for await (const chunk of run.stdout) {
    seen.push(Buffer.from(chunk).toString());
    if (seen.join('').includes('no-namespace')) break;
  }
  expect(seen.join('').trim().split('\n')).toEqual(['65534', 'lo', 'read-only', 'tmp', 'no-namespace']);
}, 60_000);

describe('an engine whose connections die without a word', () => {
  /** Passes everything on to the real engine; what is deaf keeps its connections open and hears nothing more. */
  async function behindProxy() {
    const path = join(folder, `${randomHex32().slice(2, 10)}.sock`);
    const open = new Set<{ near: Socket; far: Socket }>();
    let deaf = false;
    const server = createServer({ allowHalfOpen: true }, (near) => {
      near.on('error', () => undefined);
      if (deaf) return;
      const far = connect({ path: '/var/run/docker.sock', allowHalfOpen: true });
      far.on('error', () => near.destroy());
      open.add({ near, far });
      near.pipe(far);
      far.pipe(near);
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const engine = dockerContainers({ log: () => undefined, socketPath: path, answerMs: 500, watchMs: 200 });
    return {
      engine,
      deafen: (forNew: boolean) => {
        deaf = forNew;
        for (const { near, far } of open) {
          near.unpipe(far);
          far.unpipe(near);
          far.destroy();
        }
        open.clear();
      },
      close: () => {
        engine.close();
        server.close();
        for (const { near } of open) near.destroy();
      },
    };
  }

  test('a container whose end nobody told of is noticed, and all its streams end', async () => {
    const { engine, deafen, close } = await behindProxy();
    const run = await engine.run(spec());
    const collected = converse(run, { input: Buffer.alloc(0), params: PARAMS });
    collected.catch(() => undefined);
    deafen(false);
    await containers.remove(run.containerId);
    await expect(run.exited).rejects.toMatchObject({ code: 'ENGINE_AWAY' });
    await expect(collected).rejects.toMatchObject({ code: 'ENGINE_AWAY' });
    close();
  }, 30_000);

  test('nothing is waited for without end', async () => {
    const { engine, deafen, close } = await behindProxy();
    deafen(true);
    await expect(engine.run(spec())).rejects.toMatchObject({ code: 'ENGINE_AWAY' });
    await expect(engine.list(device)).rejects.toMatchObject({ code: 'ENGINE_AWAY' });
    close();
  }, 30_000);

  test('closing shuts the doors: what still runs ends by itself', async () => {
    const engine = dockerContainers({ log: () => undefined });
    const run = await engine.run(spec());
    await run.write(header(1_000));
    engine.close();
    await vi.waitFor(async () => expect(await own()).toMatchObject([{ state: 'exited' }]), {
      timeout: 2_000,
      interval: 50,
    });
  }, 30_000);
});

test('the dead-man’s switch ends what ignores TERM, too', async () => {
  // The workload's own script; only its encoder is another, which hears no TERM and would go on for ever.
  const encoder = `sh -c 'trap "" TERM; echo frame=0; while :; do sleep 0.1; done'`;
  const probe = 'case $* in *index*) ;; *) echo mov ;; esac';
  const tools = `ffprobe() { ${probe}; }; nice() { shift 2; "$@"; }; ffmpeg() { ${encoder}; }`;
  const script = `${tools}; . /usr/local/lib/idlemesh/run.sh`;
  const engine = dockerContainers({ log: () => undefined });
  // It looks for its other parts beside itself.
  const shell = { ...spec(), Entrypoint: ['/bin/sh', '-c', script, '/usr/local/lib/idlemesh/run.sh'] };
  const run = await engine.run(shell);
  await run.write(header(4));
  await run.write(Buffer.from('clip'));
  // Leaving the stream early would destroy it, and nothing but `close` may end this.
  const lines = run.stderr[Symbol.asyncIterator]();
  for (let line = await lines.next(); ; line = await lines.next()) {
    expect(line.done, 'it ended before it began to encode').not.toBe(true);
    if (String(line.value).includes('"progress":0.01')) break;
  }
  expect(await own()).toMatchObject([{ state: 'running' }]);
  const closed = performance.now();
  engine.close();
  await vi.waitFor(async () => expect(await own()).toMatchObject([{ state: 'exited' }]), {
    timeout: 2_000,
    interval: 50,
  });
  expect(performance.now() - closed).toBeLessThan(2_000);
}, 30_000);

test('a word through the door is heard while the source is still being looked at', async () => {
  const tools = `ffprobe() { while :; do sleep 0.1; done; }`;
  const shell = { ...spec(), Entrypoint: ['/bin/sh', '-c', `${tools}; . /usr/local/lib/idlemesh/run.sh`] };
  const run = await containers.run(shell);
  await run.write(header(4));
  await run.write(Buffer.from('clip'));
  await run.write(Buffer.from('stop\n'));
  await vi.waitFor(async () => expect(await own()).toMatchObject([{ state: 'exited' }]), {
    timeout: 2_000,
    interval: 50,
  });
  expect((await run.exited).code).toBe(143);
}, 30_000);

test('kill -9 of the client ends the container in the middle of its work', async () => {
  const script = join(folder, 'client.ts');
  const here = new URL('../../../', import.meta.url).href;
  const long = join(folder, 'long.mp4');
  await makeClip(long, 12, '1280x720');
  await writeFile(join(folder, 'spec.json'), JSON.stringify(spec()));
  await writeFile(
    script,
    `import { readFileSync } from 'node:fs';
import { dockerContainers } from '${here}agent/adapters/docker.ts';
const spec = JSON.parse(readFileSync('${join(folder, 'spec.json')}', 'utf8'));
const clip = readFileSync('${long}');
const run = await dockerContainers({ log: () => undefined }).run(spec);
const params = { height: '720', preset: 'medium', crf: '20' };
await run.write(Buffer.from(JSON.stringify({ params, inputBytes: clip.length, checkpointBytes: 0 }) + '\\n'));
await run.write(clip);
void (async () => { for await (const _ of run.stdout); })();
for await (const line of run.stderr) process.stdout.write(line);
`,
  );
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const said = await new Promise<Buffer>((resolve) => child.stdout.once('data', resolve));
  expect(String(said)).toContain('progress');
  expect(await own()).toMatchObject([{ state: 'running' }]);
  child.kill('SIGKILL');
  const ended = async () => expect(await own()).toMatchObject([{ state: 'exited' }]);
  await vi.waitFor(ended, { timeout: 2_000, interval: 50 });
}, 60_000);
