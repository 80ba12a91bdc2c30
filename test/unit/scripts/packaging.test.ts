import { describe, expect, test } from 'vitest';
import { controlFile, parseOrder, specFile } from '../../../scripts/packaging/package-text.mjs';

const WORDS = [
  ...[
    '-s',
    'dir',
    '--force',
    '-t',
    'deb',
    '-d',
    'libgtk-3-0',
    '-d',
    'libnss3',
    '--deb-recommends',
    'docker.io | podman',
  ],
  ...['--deb-compression', 'gz', '--architecture', 'amd64', '--after-install', '/tmp/in', '--after-remove', '/tmp/out'],
  ...[
    '--description',
    'Short words\n Longer words\nand 100% more',
    '--version',
    '1.2.0-beta',
    '--package',
    '/out/x.deb',
  ],
  ...['--name', 'thing', '--maintainer', 'We <we@example.org>', '--url=https://example.org', '--license', 'MIT'],
  ...['/build/a=b/=/opt/Thing', '/build/icon.png=/usr/share/icons/thing.png'],
];

describe("the words of fpm's command line", () => {
  const order = parseOrder(WORDS);

  test('options by long name, lists apart', () => {
    expect(order.options).toMatchObject({
      'input-type': 'dir',
      'output-type': 'deb',
      name: 'thing',
      url: 'https://example.org',
    });
    expect(order.depends).toEqual(['libgtk-3-0', 'libnss3']);
    expect(order.recommends).toEqual(['docker.io | podman']);
  });

  test('the last equals sign parts source and target', () => {
    expect(order.files).toEqual([
      ['/build/a=b/', '/opt/Thing'],
      ['/build/icon.png', '/usr/share/icons/thing.png'],
    ]);
  });

  test('become a control file', () => {
    expect(controlFile(order, 42)).toBe(
      [
        'Package: thing',
        'Version: 1.2.0-beta',
        'Architecture: amd64',
        'Maintainer: We <we@example.org>',
        'Installed-Size: 42',
        'Depends: libgtk-3-0, libnss3',
        'Recommends: docker.io | podman',
        'Section: utils',
        'Priority: optional',
        'Homepage: https://example.org',
        'Description: Short words',
        ' Longer words',
        ' and 100% more',
        '',
      ].join('\n'),
    );
  });

  test('become a spec: no stray macros, pre-releases sort first, an upgrade undoes nothing', () => {
    const spec = specFile(order, {
      tree: '/t',
      files: ['/opt/Thing/50%'],
      afterInstall: 'echo 1%',
      afterRemove: 'rm x',
    });
    expect(spec).toContain('Version: 1.2.0~beta\n');
    expect(spec).toContain('and 100%% more');
    expect(spec).toContain('"/opt/Thing/50%%"');
    expect(spec).toContain('echo 1%%');
    expect(spec).toMatch(/%postun -p \/bin\/bash\nif \[ "\$1" -eq 0 \]; then\nrm x\nfi/);
    expect(spec).toContain('Requires: libnss3\n');
  });
});
