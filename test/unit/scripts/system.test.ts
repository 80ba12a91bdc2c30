import { describe, expect, test } from 'vitest';
import { chooseInstaller, family, parseOsRelease } from '../../../scripts/lib/system.mjs';

describe('os-release', () => {
  test('reads plain, double and single quoted values and skips the rest', () => {
    const text = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n# a remark\nVARIANT=\'x y\'\n\nEMPTY=\n';
    expect(parseOsRelease(text)).toEqual({
      PRETTY_NAME: 'Debian GNU/Linux 12 (bookworm)',
      ID: 'debian',
      VARIANT: 'x y',
      EMPTY: '',
    });
  });

  test.each([
    ['linux', { ID: 'debian' }, 'debian'],
    ['linux', { ID: 'linuxmint', ID_LIKE: 'ubuntu debian' }, 'debian'],
    ['linux', { ID: 'nobara', ID_LIKE: 'fedora' }, 'fedora'],
    ['linux', { ID: 'rocky', ID_LIKE: 'rhel centos' }, 'fedora'],
    ['linux', { ID: 'arch' }, 'arch'],
    ['linux', { ID: 'opensuse-tumbleweed' }, 'suse'],
    ['linux', { ID: 'archlinuxarm' }, 'linux'],
    ['linux', {}, 'linux'],
    ['darwin', {}, 'mac'],
    ['win32', {}, 'windows'],
  ])('%s %j is %s', (platform, release, kind) => {
    expect(family(platform, release)).toBe(kind);
  });
});

describe('who installs a package', () => {
  const here = { family: 'debian', root: true, terminal: false, sudo: false } as const;

  test.each([
    [here, 'install'],
    [{ ...here, terminal: true }, 'ask'],
    [{ ...here, root: false }, 'tell'],
    [{ ...here, root: false, sudo: true }, 'tell'],
    [{ ...here, root: false, sudo: true, terminal: true }, 'ask'],
    [{ ...here, root: false, terminal: true }, 'tell'],
    [{ ...here, family: 'fedora' }, 'tell'],
  ] as const)('%j: %s', (given, choice) => {
    expect(chooseInstaller(given)).toBe(choice);
  });
});
