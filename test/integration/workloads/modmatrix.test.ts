import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GpuJob } from '../../../agent/gpu-choice.ts';
import { type WorkloadManifest, workloadManifest } from '../../../core/catalogue.ts';
import type { GpuRefusal } from '../../../core/gpu-grants.ts';
import type { GpuGrant } from '../../../core/sandbox.ts';
import { buildImage } from '../../support/build-image.ts';
import { type Deed, type DeedStage, deedStage, failureOf } from '../../support/deed.ts';
import { rowDigests } from '../../support/matrices.ts';

/**
 * The GPU workload in the sandbox that the agent makes, on a real engine. There is no GPU: OpenCL runs on the processor (PoCL), with the
 * kernel and the host program that a GPU would get.
 */
const root = join(import.meta.dirname, '../../..');
const manifest: WorkloadManifest = workloadManifest.parse(
  JSON.parse(readFileSync(join(root, 'workloads/modmatrix/manifest.json'), 'utf8')),
);
let stage: DeedStage;
let [release, fallback] = ['', ''];
beforeAll(async () => {
  release = await buildImage(join(root, 'workloads/modmatrix'), `idlemesh/modmatrix:${manifest.version}`);
  fallback = await buildImage(join(root, 'test/images/pocl'), 'idlemesh/test-pocl:0.1.0');
  stage = await deedStage();
}, 600_000);
afterAll(async () => {
  expect(await stage.left()).toEqual([]);
  await stage.close();
});

const need = () => manifest.gpu ?? expect.fail('the workload needs no GPU');
/** As the manifest says, but on the processor. */
const onProcessor = (deed: Partial<Deed> = {}): Deed => {
  const entry = { ...manifest, gpu: { ...need(), cpuFallback: true }, loadsCode: true };
  return { script: '', image: fallback, entry, limits: manifest.limits, ...deed };
};
const product = (size: number, rounds: number, input = ''): Deed =>
  onProcessor({ params: { size: `${size}`, rounds: `${rounds}` }, input: Buffer.from(input) });
const sha256 = (bytes: Uint8Array): string => `0x${createHash('sha256').update(bytes).digest('hex')}`;

describe('exact products', () => {
  test.each([
    [1, 1, ''],
    [7, 3, 'a seed'],
    [64, 1, 'x'.repeat(4096)],
    [65, 2, 'seed'],
    [129, 1, '0'],
  ])(
    'of %i rows in %i rounds are those that big integers give',
    async (size, rounds, input) => {
      const { ending, output } = await stage.run(product(size, rounds, input));
      expect(ending).toMatchObject({ kind: 'finished' });
      expect(output?.toString('hex')).toBe(rowDigests(Buffer.from(input), size, rounds).toString('hex'));
    },
    60_000,
  );

  test('have the same bytes on one core and on two, and every time', async () => {
    const share = (cpuCores: number) => ({ cpuCores, memoryBytes: 1024 ** 3, pids: 512 });
    const wide = { ...manifest.limits, cpuCores: 2 };
    const runs = [
      await stage.run({ ...product(200, 1), share: share(1) }),
      await stage.run({ ...product(200, 1), share: share(2), limits: wide }),
      await stage.run({ ...product(200, 1), share: share(2), limits: wide }),
    ];
    expect(runs[0]?.output?.length).toBe(200 * 32);
    expect(new Set(runs.map(({ output }) => output?.toString('hex'))).size).toBe(1);
  }, 90_000);

  test('the manifest’s own check is what big integers give', () => {
    const { params, output } = need().check ?? expect.fail('no check');
    expect(sha256(rowDigests(Buffer.alloc(0), Number(params['size']), Number(params['rounds'])))).toBe(output);
  });
});

test('nonsense is refused with a sentence', async () => {
  const said = failureOf(await stage.run(onProcessor({ params: { size: '5000', rounds: '1' } })));
  expect(said).toContain('out of range');
}, 30_000);

test('where the launch does not allow the processor, no processor stands in for a GPU', async () => {
  const entry = { ...manifest, loadsCode: true };
  const said = failureOf(await stage.run(onProcessor({ entry, params: { size: '8', rounds: '1' } })));
  expect(said).toMatch(/no OpenCL device: 1 platforms, none with a GPU/);
  // The image as it is delivered has no processor to fall back to at all.
  const bare = await stage.run({ ...product(8, 1), image: release });
  expect(failureOf(bare)).toMatch(/no OpenCL device: 0 platforms/);
}, 60_000);

test('freezing stops it between two bands of rows, thawing lets it go on to the same bytes', async () => {
  const { runner, done } = stage.begin(product(512, 8));
  const moves = async () => {
    const before = runner.view().progress;
    await new Promise((resolve) => setTimeout(resolve, 700));
    return runner.view().progress > before;
  };
  while (runner.view().progress === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await moves()).toBe(true);
  expect(runner.tell('freeze')).toBe(true);
  await moves();
  expect(await moves()).toBe(false);
  expect(runner.tell('thaw')).toBe(true);
  const { output } = await done;
  const again = await stage.run(product(512, 8));
  expect(output?.length).toBe(8 * 512 * 32);
  expect(output?.equals(again.output ?? Buffer.alloc(0))).toBe(true);
}, 120_000);

/** What the agent would hand to the runner, and what became of it. */
function tried(grants: readonly GpuGrant[], check = need().check) {
  const seen: (GpuRefusal | 'passed')[] = [];
  const gpu: GpuJob = {
    grants,
    check: () => (seen.includes('passed') ? null : check),
    passed: () => void seen.push('passed'),
    failed: (why) => void seen.push(why),
  };
  return { gpu, seen };
}

describe('before its job', () => {
  test('a device answers the check, and then the job', async () => {
    const { gpu, seen } = tried([]);
    const { ending, output } = await stage.run({ ...product(7, 1), gpu });
    expect(ending.kind).toBe('finished');
    expect(seen).toEqual(['passed']);
    expect(output?.length).toBe(7 * 32);
  }, 60_000);

  test('a device that answers it wrongly is given no job', async () => {
    const { gpu, seen } = tried([], { params: { size: '65', rounds: '2' }, output: `0x${'00'.repeat(32)}` });
    const { ending, output } = await stage.run({ ...product(7, 1), gpu });
    expect(ending).toMatchObject({ kind: 'declined', reason: 'stopped' });
    expect(seen).toMatchObject([{ kind: 'failed-its-check', detail: 'it gave a wrong answer' }]);
    expect(output).toBeNull();
  }, 60_000);
});

describe('an engine without this GPU refuses at the start, and nothing is left of it', () => {
  const id = 'GPU-fef8089b-4820-abfc-e83e-94318197576e';
  test.each<[string, GpuGrant, RegExp]>([
    ['NVIDIA', { kind: 'nvidia', ids: [id], via: 'request' }, /could not select device driver "nvidia"/],
    ['NVIDIA by name', { kind: 'nvidia', ids: [id], via: 'cdi' }, /could not select device driver "cdi"|CDI/],
    ['AMD', { kind: 'render', devices: ['/dev/kfd'], groups: ['105'] }, /gathering device information.*\/dev\/kfd/],
    ['Intel', { kind: 'render', devices: ['/dev/dri/renderD200'], groups: [] }, /gathering device information/],
  ])(
    '%s',
    async (_vendor, grant, words) => {
      const { gpu, seen } = tried([grant]);
      const { ending } = await stage.run({ ...product(7, 1), gpu });
      expect(ending).toMatchObject({ kind: 'declined', reason: 'stopped' });
      expect(seen).toMatchObject([{ kind: 'did-not-start', detail: expect.stringMatching(words) }]);
      expect(await stage.left()).toEqual([]);
    },
    60_000,
  );
});
