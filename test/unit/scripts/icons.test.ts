import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ICNS_SIZES, ICO_SIZES, icns, ico } from '../../../scripts/icons/containers.mjs';
import { root } from '../../../scripts/lib/paths.mjs';

const dir = join(root, 'resources/icons');
const committed = (size: number) => ({ size, png: readFileSync(join(dir, `${size}x${size}.png`)) });

describe('icons', () => {
  test('every PNG has the size of its name', () => {
    const names = readdirSync(dir).filter((name) => name.endsWith('.png'));
    expect(names.length).toBeGreaterThanOrEqual(8);
    for (const name of names) {
      const png = readFileSync(join(dir, name));
      expect(`${png.readUInt32BE(16)}x${png.readUInt32BE(20)}.png`).toBe(name);
    }
  });

  test('the Windows icon holds the committed pictures at the offsets it names', () => {
    const file = readFileSync(join(dir, 'icon.ico'));
    expect(file.readUInt16LE(4)).toBe(ICO_SIZES.length);
    ICO_SIZES.forEach((size, index) => {
      const at = 6 + 16 * index;
      expect(file.readUInt8(at) || 256).toBe(size);
      const offset = file.readUInt32LE(at + 12);
      expect(file.subarray(offset, offset + file.readUInt32LE(at + 8)).equals(committed(size).png)).toBe(true);
    });
    expect(ico(ICO_SIZES.map(committed)).equals(file)).toBe(true);
  });

  test('the Apple icon is as long as it says and its members fill it', () => {
    const file = readFileSync(join(dir, 'icon.icns'));
    expect(file.toString('latin1', 0, 4)).toBe('icns');
    expect(file.readUInt32BE(4)).toBe(file.length);
    const types: string[] = [];
    for (let at = 8; at < file.length; at += file.readUInt32BE(at + 4)) types.push(file.toString('latin1', at, at + 4));
    expect(types).toEqual(['icp4', 'icp5', 'ic11', 'ic12', 'ic07', 'ic08', 'ic13', 'ic09', 'ic14', 'ic10']);
    expect(icns(ICNS_SIZES.map(committed)).equals(file)).toBe(true);
  });
});
