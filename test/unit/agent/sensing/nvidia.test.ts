import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nvidiaGpus, nvidiaInstalled, nvidiaLines } from '../../../../agent/adapters/nvidia.ts';

const ID = 'GPU-7c5f1ad2-0f3e-9c5d-3f43-2c1a60a5f7f1';

describe('lines of nvidia-smi', () => {
  it('become a reading when all GPUs have spoken', () => {
    const parse = nvidiaLines();
    const place = { vendor: 'nvidia', render: null, compute: null };
    expect(parse(`2, 0, ${ID}, NVIDIA GeForce RTX 4090, 97, 24564, 1234, 61, 550.54.14`)).toBe('more');
    expect(
      parse(`2, 1, ${ID}x, NVIDIA GeForce GT 710, [N/A], 2048, [Not Supported], [Unknown Error], 550.54.14`),
    ).toEqual([
      {
        ...{ id: ID, name: 'NVIDIA GeForce RTX 4090', busyByOthersPercent: 97, temperatureC: 61 },
        ...{ memoryBytes: 24564 * 1024 ** 2, memoryByOthersBytes: 1234 * 1024 ** 2, place, driver: '550.54.14' },
      },
      {
        ...{ id: `${ID}x`, name: 'NVIDIA GeForce GT 710', busyByOthersPercent: 'unavailable', temperatureC: 'unknown' },
        ...{ memoryBytes: 2048 * 1024 ** 2, memoryByOthersBytes: 'unavailable', place, driver: '550.54.14' },
      },
    ]);
  });
  it.each([
    '',
    'Failed to initialize NVML: Driver/library version mismatch',
    `1, 0, ${ID}, name`,
    `1, 1, ${ID}, name, 1, 2, 3, 4, 5`,
    `1, 0, ${ID}, name, 1, 2, 3, 4`,
    `1, 0, ${ID}, name, 1, 2, 3, 4, 5, 6`,
    `0, 0, ${ID}, name, 1, 2, 3, 4, 5`,
    '1, 0, [N/A], name, 1, 2, 3, 4, 5',
  ])('are doubtful when they are: %s', (line) => {
    const parse = nvidiaLines();
    expect(parse(line)).toBeNull();
    expect(parse(`1, 0, ${ID}, name, 1, 2, 3, 4, 5`)).toMatchObject([{ id: ID }]);
  });
  it('may say that there is no GPU', () => {
    expect(nvidiaLines()('No devices were found')).toEqual([]);
  });
});

it('is unavailable where there is no such program', async () => {
  const source = nvidiaGpus({ command: '/nowhere/nvidia-smi' });
  expect(await source.read()).toBe('unavailable');
  source.close?.();
});

it('is looked for on the path', () => {
  const folder = mkdtempSync(join(tmpdir(), 'path-'));
  const path = ['/nowhere', '', folder].join(delimiter);
  expect(nvidiaInstalled(path)).toBe(false);
  writeFileSync(join(folder, 'nvidia-smi'), '');
  expect(nvidiaInstalled(path)).toBe(true);
  rmSync(folder, { recursive: true });
});
