import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type DesktopFacts,
  desktopLines,
  desktopSources,
  helperCommand,
} from '../../../../agent/adapters/desktop-helper.ts';
import type { Resident } from '../../../../agent/adapters/resident.ts';
import { isFailure } from '../../../../core/errors.ts';
import type { Sensed } from '../../../../core/signals.ts';

const scripts = join(import.meta.dirname, '../../../../resources/sensors');

const WINDOWS =
  '{"idleMs":1250,"locked":false,"fullscreen":{"name":"game"},"awake":false,"metered":"none","playing":"none","onBattery":false,' +
  '"processes":[[4,0,"System",null],[980,4,"explorer.exe","C:\\\\Windows\\\\explorer.exe"],' +
  '[7012,980,"steam.exe","C:\\\\Program Files (x86)\\\\Steam\\\\steam.exe"],' +
  '[8100,7012,"game.exe","D:\\\\SteamLibrary\\\\steamapps\\\\common\\\\Game\\\\game.exe"]]}';
const MACOS =
  '{"idleMs":0,"locked":null,"fullscreen":null,"processes":[[311,0,"Finder","/System/Finder.app/Contents/MacOS/Finder"]]}';

describe('lines of the helper scripts', () => {
  it('carry programs with their parents, and keep the list until it is said again', () => {
    const parse = desktopLines();
    const first = parse(WINDOWS);
    expect(first.processes).toContainEqual({
      ...{ pid: 8100, name: 'game.exe', launcherId: null, launchedBy: ['steam.exe', 'explorer.exe', 'System'] },
      path: 'D:\\SteamLibrary\\steamapps\\common\\Game\\game.exe',
    });
    const second = parse('{"idleMs":2250,"locked":true,"fullscreen":null}');
    expect(second).toMatchObject({ idleMs: 2250, locked: true, fullscreen: null });
    expect(second.processes).toBe(first.processes);
  });
  it('survive a circle of parents, whose numbers are used again', () => {
    const { processes } = desktopLines()(
      '{"idleMs":0,"locked":false,"fullscreen":null,"processes":[[1,2,"a",null],[2,1,"b",null]]}',
    );
    expect(processes).toMatchObject([{ launchedBy: ['b'] }, { launchedBy: ['a'] }]);
  });
  it.each([
    '',
    'Add-Type : Cannot invoke method',
    '{"idleMs":-1,"locked":false,"fullscreen":null}',
    '{"idleMs":1,"locked":"no","fullscreen":null}',
    '{"idleMs":1,"locked":false}',
    '{"idleMs":1,"locked":false,"fullscreen":null,"surprise":1}',
    '{"idleMs":1,"locked":false,"fullscreen":null,"processes":[["1"]]}',
  ])('are refused as: %s', (line) => {
    expect(() => desktopLines()(line)).toThrow();
  });
});

describe('sensors of a helper', () => {
  class FakeResident implements Resident<DesktopFacts> {
    value: Sensed<DesktopFacts> = 'unknown';
    listeners = new Set<() => void>();
    read = async (): Promise<Sensed<DesktopFacts>> => this.value;
    onChange = (listener: () => void): (() => void) => {
      this.listeners.add(listener);
      return () => this.listeners.delete(listener);
    };
    close = (): void => this.listeners.clear();
    async say(value: Sensed<DesktopFacts>): Promise<void> {
      this.value = value;
      for (const listener of [...this.listeners]) listener();
      await this.read();
    }
  }
  const facts = (change: Partial<DesktopFacts>): DesktopFacts => ({ ...desktopLines()(WINDOWS), ...change });
  const all = async (value: Sensed<DesktopFacts>) => {
    const helper = new FakeResident();
    helper.value = value;
    const sources = desktopSources('Windows', helper);
    return {
      idle: await sources.idle[0]?.idleMs(),
      locked: await sources.locked[0]?.read(),
      fullscreen: await sources.fullscreen[0]?.read(),
      media: await sources.media[0]?.read(),
      onBattery: await sources.onBattery[0]?.read(),
      metered: await sources.metered[0]?.read(),
    };
  };

  it('say what it said', async () => {
    expect(await all(facts({}))).toEqual({
      ...{
        idle: 1250,
        locked: false,
        fullscreen: { name: 'game' },
        media: null,
        onBattery: false,
        metered: 'unavailable',
      },
    });
    expect(await all(facts({ playing: 'Spotify.exe', onBattery: 'none', metered: true }))).toMatchObject({
      ...{ media: { name: 'Spotify.exe' }, onBattery: 'unavailable', metered: true },
    });
    expect(await all(facts({ awake: true }))).toMatchObject({ media: { name: 'Windows' } });
    expect(await all(desktopLines()(MACOS))).toMatchObject({
      ...{ idle: 0, locked: 'unknown', fullscreen: null, media: 'unavailable', onBattery: 'unavailable' },
    });
  });
  it('doubt with it', async () => {
    expect(await all(facts({ locked: null, playing: null, onBattery: null, metered: null }))).toMatchObject({
      ...{ locked: 'unknown', media: 'unknown', onBattery: 'unknown', metered: 'unknown' },
    });
    for (const value of ['unknown', 'unavailable'] as const) {
      expect(new Set(Object.values(await all(value)))).toEqual(new Set([value]));
    }
  });
  it('tell once of the first input after they were asked', async () => {
    const helper = new FakeResident();
    const [idle] = desktopSources('Windows', helper).idle;
    let returned = 0;
    idle?.onReturn?.(() => {
      returned += 1;
    });
    for (const idleMs of [5_000, 6_000, 7_000]) await helper.say(facts({ idleMs }));
    expect(returned).toBe(0);
    await helper.say('unknown');
    await helper.say(facts({ idleMs: 9_000 }));
    await helper.say(facts({ idleMs: 40 }));
    await helper.say(facts({ idleMs: 10 }));
    expect(returned).toBe(1);
    expect(helper.listeners.size).toBe(0);
  });
});

describe('commands of the helpers', () => {
  it('fit on a command line of Windows, script and all', () => {
    const { command, args } = helperCommand('win32', scripts) ?? { command: '', args: [] };
    expect(command).toBe('powershell.exe');
    expect([command, ...args].join(' ').length).toBeLessThan(32_000);
    expect(Buffer.from(args.at(-1) ?? '', 'base64').toString('utf16le')).toContain('GetLastInputInfo');
  });
  it('are there for macOS, and not needed on Linux', () => {
    expect(helperCommand('darwin', scripts)?.args).toContain('JavaScript');
    expect(helperCommand('linux', '/nowhere')).toBeNull();
  });
  it('say which script is missing', () => {
    try {
      helperCommand('win32', '/nowhere');
      expect.unreachable();
    } catch (error) {
      expect(isFailure(error, 'NOT_FOUND')).toBe(true);
    }
  });
});
