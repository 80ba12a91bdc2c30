import { describe, expect, test } from 'vitest';
import { faultText, type ImageConfig, imageFaults, listFault } from '../../../core/image-rules.ts';
import { LABEL } from '../../../core/sandbox.ts';

const PLAIN: ImageConfig = {
  Volumes: null,
  WorkingDir: '/tmp',
  Env: ['PATH=/usr/bin:/bin', 'LANG=C'],
  Labels: { 'org.idlemesh.source': 'abc', maintainer: 'somebody' },
};
const kindsOf = (change: ImageConfig) => imageFaults({ ...PLAIN, ...change }).map(({ kind }) => kind);

test('an image that asks for nothing may run, and one that says nothing of itself', () => {
  expect(imageFaults(PLAIN)).toEqual([]);
  expect(imageFaults({})).toEqual([]);
});

describe('may not run:', () => {
  test.each<[string, ImageConfig, string]>([
    ['a volume', { Volumes: { '/data': {} } }, 'volumes'],
    ['the runtime’s open files', { WorkingDir: '/proc/self/fd/8' }, 'working-dir'],
    ['the same with more slashes', { WorkingDir: '//proc/self/fd/8' }, 'working-dir'],
    ['a way up', { WorkingDir: '/tmp/../proc/self' }, 'working-dir'],
    ['the devices', { WorkingDir: '/dev' }, 'working-dir'],
    ['a library to load', { Env: ['LD_PRELOAD=/x.so'] }, 'environment'],
    ['one that is empty', { Env: ['LD_AUDIT='] }, 'environment'],
    ['a name without a value', { Env: ['LD_DEBUG'] }, 'environment'],
    ['modules of the C library', { Env: ['GCONV_PATH=/x'] }, 'environment'],
    ['a lease that is not its own', { Labels: { [LABEL.lease]: '0x1' } }, 'labels'],
    ['a role', { Labels: { [LABEL.role]: 'gateway' } }, 'labels'],
  ])('%s', (_what, change, kind) => {
    expect(kindsOf(change)).toEqual([kind]);
  });
});

test('names that only look alike may run', () => {
  const change = { WorkingDir: '/processing', Env: ['OLD_PATH=1', 'WORLD_=2'], Labels: { 'org.idlemesh.leases': 'x' } };
  expect(kindsOf(change)).toEqual([]);
});

test('what is said of a fault is short, whatever the image names', () => {
  const fault = imageFaults({ Volumes: { [`/${'x'.repeat(10_000)}`]: {} } })[0];
  expect(fault && faultText(fault).length).toBeLessThan(200);
});

describe('a list of accounts', () => {
  const fine = { mode: 0o644, size: 900 };
  test.each([fine, { mode: 0, size: 0 }, { mode: 0o4755, size: 1024 * 1024 }])('may be a plain file: %o', (stat) => {
    expect(listFault('/etc/passwd', stat)).toBeNull();
  });
  // As the engine says them: io/fs.FileMode.
  test.each([
    ['a pipe', 33_554_852],
    ['a folder', 2_147_484_141],
    ['a link', 134_218_239],
    ['a device of bytes', 69_206_436],
    ['a device of blocks', 67_109_284],
    ['a socket', 16_777_645],
  ])('may not be %s', (_what, mode) => {
    const fault = listFault('/etc/group', { mode, size: 0 });
    expect(fault && faultText(fault)).toBe('the image has something else than a plain file at /etc/group');
  });
  test('may not be without end', () => {
    expect(listFault('/etc/passwd', { ...fine, size: 2 ** 40 })).not.toBeNull();
  });
});
