import { describe, expect, test } from 'vitest';
import { appArguments } from '../../../scripts/lib/app.mjs';
import { hasDisplay, onVirtualDisplay } from '../../../scripts/lib/display.mjs';
import { chooseRuntime } from '../../../scripts/lib/electron.mjs';
import { readyUrl } from '../../../scripts/lib/practice.mjs';
import { sum, tally } from '../../../scripts/lib/tests.mjs';

describe('counting tests', () => {
  test('counts what passed and failed', () => {
    const report = {
      numPassedTests: 3,
      numFailedTests: 1,
      testResults: [{ status: 'failed', assertionResults: [{ status: 'failed' }] }],
    };
    expect(tally(report)).toEqual({ passed: 3, failed: 1 });
  });

  test('a file that could not be read is a failure, though no test failed', () => {
    const report = { numPassedTests: 3, numFailedTests: 0, testResults: [{ status: 'failed', assertionResults: [] }] };
    expect(tally(report)).toEqual({ passed: 3, failed: 1 });
  });

  test('no report at all is a failure', () => {
    expect(tally(undefined)).toEqual({ passed: 0, failed: 1 });
  });

  test('runs add up', () => {
    expect(
      sum([
        { passed: 1, failed: 0 },
        { passed: 2, failed: 3 },
      ]),
    ).toEqual({ passed: 3, failed: 3 });
  });
});

describe('which Electron runs', () => {
  const day = 86_400_000;
  const official = { dist: '/d', version: '45.4.1', official: true, atMs: 0 };
  const standIn = { dist: '/d', version: '25.1.1', official: false, atMs: 0 };

  test.each([
    ['nothing yet', undefined, false, 0, 'fetch'],
    ['the official one', official, true, 9 * day, 'use'],
    ['the official one, deleted', official, false, 0, 'fetch'],
    ['another version of it', { ...official, version: '44.0.0' }, true, 0, 'fetch'],
    ['a fresh stand-in', standIn, true, day - 1, 'use'],
    ['a stand-in of yesterday', standIn, true, day, 'fetch'],
  ] as const)('%s', (_what, have, present, nowMs, choice) => {
    expect(chooseRuntime(have, present, '45.4.1', nowMs)).toBe(choice);
  });
});

describe('the window', () => {
  test.each([
    ['linux', {}, false],
    ['linux', { DISPLAY: ':0' }, true],
    ['linux', { WAYLAND_DISPLAY: 'wayland-0' }, true],
    ['linux', { DISPLAY: '' }, false],
    ['darwin', {}, true],
    ['win32', {}, true],
  ])('%s %j: %s', (platform, env, answer) => {
    expect(hasDisplay(platform, env)).toBe(answer);
  });

  test('a virtual one wraps the command in a bus and a screen of its own', () => {
    const [file, args] = onVirtualDisplay(['node', 'x']);
    expect([file, ...args].join(' ')).toMatch(/^dbus-run-session -- xvfb-run -a .* node x$/);
  });

  const given = {
    dataDir: '/d',
    coordinatorUrl: 'http://127.0.0.1:1',
    catalogue: '/c.json',
    catalogueKeys: '/k.json',
    root: true,
    platform: 'linux',
  };

  test('only root on Linux goes without the sandbox', () => {
    expect(appArguments(given)).toContain('--no-sandbox');
    expect(appArguments({ ...given, root: false })).not.toContain('--no-sandbox');
    expect(appArguments({ ...given, platform: 'darwin' })).not.toContain('--no-sandbox');
  });

  test('the app learns where its data, its network and its catalogue are', () => {
    expect(appArguments(given)).toEqual(
      expect.arrayContaining([
        '--idlemesh-data=/d',
        '--idlemesh-coordinator=http://127.0.0.1:1',
        '--idlemesh-catalogue=/c.json',
        '--idlemesh-catalogue-keys=/k.json',
      ]),
    );
  });
});

describe('the practice network says when it is ready', () => {
  test('in one line of JSON', () => {
    expect(readyUrl('{"ready":true,"coordinatorUrl":"http://127.0.0.1:4100"}')).toBe('http://127.0.0.1:4100');
  });

  test.each(['', 'listening', '{"ready":false,"coordinatorUrl":"x"}', '{"ready":true}', '{"level":30,'])(
    '%j says nothing of the kind',
    (line) => {
      expect(readyUrl(line)).toBeUndefined();
    },
  );
});
