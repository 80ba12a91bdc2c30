import { describe, expect, test } from 'vitest';
import { chooseNode, isAtLeast, parseVersion } from '../../../scripts/lib/node.mjs';

describe('versions', () => {
  test.each([
    ['v24.21.0', [24, 21, 0]],
    ['22.18.0-rc.1', [22, 18, 0]],
    ['v20', [20]],
    ['nonsense', [0]],
  ])('%s', (text, parts) => {
    expect(parseVersion(text)).toEqual(parts);
  });

  test.each([
    ['22.18.0', '22.18.0', true],
    ['22.17.9', '22.18.0', false],
    ['23.0.0', '22.18.0', true],
    ['9.99.99', '22.18.0', false],
    ['24', '24.0.0', true],
    ['22.18.1', '22.18', true],
  ])('%s is at least %s: %s', (have, least, answer) => {
    expect(isAtLeast(have, least)).toBe(answer);
  });
});

describe('which Node runs the project', () => {
  test.each([
    ['v24.21.0', 'linux-x64', 'use'],
    ['v22.18.0', 'sunos-x64', 'use'],
    ['v20.20.2', 'linux-x64', 'fetch'],
    ['v22.17.0', 'win32-x64', 'fetch'],
    ['v20.20.2', 'sunos-x64', 'no package'],
    ['v18.20.0', 'linux-x64', 'fetch'],
    ['v16.20.2', 'linux-x64', 'too old'],
  ])('%s on %s: %s', (version, platform, choice) => {
    expect(chooseNode(version, platform)).toBe(choice);
  });
});
