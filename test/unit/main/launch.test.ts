import { describe, expect, it } from 'vitest';
import { keptArguments, parseArguments } from '../../../main/arguments.ts';
import { autostartEntry } from '../../../main/desktop-entry.ts';
import { parsePlace, usableBounds } from '../../../main/window-place.ts';

describe('parseArguments', () => {
  it('reads what start-up passes', () => {
    const words = [
      'electron',
      '.',
      '--idlemesh-data=/d a',
      '--idlemesh-coordinator=http://x:1',
      '--idlemesh-idle-after=15',
    ];
    expect(parseArguments(words)).toEqual({
      dataDir: '/d a',
      coordinatorUrl: 'http://x:1',
      catalogueFile: null,
      catalogueKeysFile: null,
      idleAfterSeconds: 15,
      hidden: false,
    });
  });

  it('takes the last of two, and nothing for nonsense', () => {
    const given = parseArguments(['--idlemesh-data=a', '--idlemesh-data=b', '--idlemesh-idle-after=-3', '--hidden']);
    expect(given).toMatchObject({ dataDir: 'b', idleAfterSeconds: null, hidden: true });
    expect(parseArguments(['--idlemesh-data=']).dataDir).toBeNull();
  });

  it('repeats at login only what is ours', () => {
    expect(keptArguments(['electron', '.', '--inspect=0', '--idlemesh-data=/d', '--no-sandbox', '--hidden'])).toEqual([
      '--idlemesh-data=/d',
      '--no-sandbox',
    ]);
  });
});

describe('autostartEntry', () => {
  it('quotes what a shell-like reader would split or expand', () => {
    const entry = autostartEntry(['/opt/Idle mesh/idlemesh', '--idlemesh-data=/a"b$c%d\\e`f', '--hidden']);
    expect(entry).toContain(
      'Exec="/opt/Idle mesh/idlemesh" "--idlemesh-data=/a\\\\"b\\\\$c%%d\\\\\\\\e\\\\`f" "--hidden"\n',
    );
    expect(entry.startsWith('[Desktop Entry]\n')).toBe(true);
  });
});

describe('the window place', () => {
  const screen = { x: 0, y: 0, width: 1920, height: 1080 };
  const place = (x: number, y: number) => ({ bounds: { x, y, width: 800, height: 600 }, maximised: false });

  it('is kept on a screen that is there, forgotten on one that is gone', () => {
    expect(usableBounds(place(100, 100), [screen])).toEqual({ x: 100, y: 100, width: 800, height: 600 });
    expect(usableBounds(place(2500, 100), [screen])).toBeNull();
    expect(usableBounds(place(2500, 100), [screen, { ...screen, x: 1920 }])).not.toBeNull();
    expect(usableBounds(place(100, -40), [screen])).toBeNull();
  });

  it('never shrinks below what can be read', () => {
    const tiny = { bounds: { x: 0, y: 0, width: 10, height: 10 }, maximised: false };
    expect(usableBounds(tiny, [screen])).toMatchObject({ width: 420, height: 480 });
  });

  it.each([null, '', '{', '{"bounds":{"x":"a"}}', '[]'])('forgets what it cannot read: %o', (text) => {
    expect(parsePlace(text)).toEqual({ bounds: null, maximised: false });
  });
});
