import { describe, expect, test } from 'vitest';
import { type Asking, machineFacts } from '../../../agent/adapters/machine-facts.ts';

/** A machine that answers as it is told; what nobody told it fails. */
const asking = (
  change: Partial<Asking> & { readonly answers?: Readonly<Record<string, Buffer | string>> },
): Asking => ({
  ...{ platform: 'linux', env: { PATH: '/usr/bin:/usr/sbin' }, exists: () => false, graphics: async () => [] },
  ask: async (program, words) => {
    const answer = change.answers?.[[program.split(/[\\/]/).at(-1), ...words.slice(0, 1)].join(' ')];
    return answer === undefined ? null : Buffer.from(answer);
  },
  ...change,
});
const there =
  (...paths: readonly string[]) =>
  (path: string): boolean =>
    paths.includes(path);
const windows = (
  answers: Readonly<Record<string, Buffer | string>>,
  exists = there('C:\\Windows\\System32\\wsl.exe'),
) => asking({ platform: 'win32', env: { Path: 'C:\\bin' }, exists, answers });

test('on Linux the daemon is an engine and the command alone is not', async () => {
  const found = await machineFacts(asking({ exists: there('/usr/bin/docker') }));
  expect(found).toMatchObject({ platform: 'linux', installed: [], virtualisation: 'unneeded', wsl: 'unneeded' });
  expect((await machineFacts(asking({ exists: there('/usr/sbin/dockerd', '/usr/bin/podman') }))).installed).toEqual([
    'docker',
    'podman',
  ]);
});

describe('on Windows', () => {
  const script = 'powershell.exe -NoProfile';
  test.each([
    ['True\r\nFalse\r\n', 'on'],
    ['False\r\nTrue\r\n', 'on'],
    ['False\r\nFalse\r\n', 'off'],
    ['', 'unknown'],
  ] as const)('virtualisation: %j is %s', async (answer, is) => {
    expect((await machineFacts(windows({ [script]: answer }))).virtualisation).toBe(is);
  });
  test.each([
    [
      'a newer one, in UTF-16',
      Buffer.from('WSL version: 2.4.13.0\r\nKernel version: 5.15.167.4-1\r\n', 'utf16le'),
      'ready',
    ],
    ['one in another language', Buffer.from('WSL バージョン: 2.4.13.0\r\n', 'utf16le'), 'ready'],
    ['nonsense', Buffer.from('?'), 'unknown'],
  ])('WSL: %s', async (_what, answer, is) => {
    expect((await machineFacts(windows({ 'wsl.exe --version': answer }))).wsl).toBe(is);
  });
  test('WSL that knows no version is old, a stub is none, and so is nothing', async () => {
    expect((await machineFacts(windows({ 'wsl.exe --status': 'Default Version: 2' }))).wsl).toBe('old');
    expect((await machineFacts(windows({}))).wsl).toBe('missing');
    expect((await machineFacts(windows({}, () => false))).wsl).toBe('missing');
  });
  test('Docker Desktop is found where it is installed', async () => {
    const path = 'C:\\Program Files\\Docker\\Docker\\Docker Desktop.exe';
    expect((await machineFacts(windows({}, there(path)))).installed).toEqual(['docker-desktop']);
  });
});

test.each([
  ['1\n', 'on'],
  ['0\n', 'off'],
] as const)('on macOS the kernel tells of virtualisation: %j', async (answer, is) => {
  const mac = asking({
    platform: 'darwin',
    answers: { 'sysctl -n': answer },
    exists: there('/Applications/Docker.app'),
  });
  expect(await machineFacts(mac)).toMatchObject({ virtualisation: is, installed: ['docker-desktop'] });
});

test('graphics that cannot be read are none, and this machine answers at all', async () => {
  expect((await machineFacts(asking({ graphics: () => Promise.reject(new Error('no')) }))).gpus).toEqual([]);
  expect((await machineFacts()).platform).not.toBe('other');
});
