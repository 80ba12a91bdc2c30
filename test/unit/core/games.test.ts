import { describe, expect, test } from 'vitest';
import { gamesAmong, type Program, runningApps } from '../../../core/games.ts';

const NONE: { readonly own: string[]; readonly ignored: string[] } = { own: [], ignored: [] };
const program = (path: string, more: Partial<Program> = {}): Program => ({
  ...{ name: path.split(/[\\/]/).at(-1) ?? path, path, launchedBy: [], launcherId: null },
  ...more,
});
const names = (programs: readonly Program[], choice = NONE) => gamesAmong(programs, choice).map(({ name }) => name);

const STEAM = '/home/ann/.local/share/Steam';
const PROTON = `${STEAM}/steamapps/common/Proton 9.0 (Beta)/files/bin/wine64-preloader`;
const byReaper = { launchedBy: ['reaper', 'steam'], launcherId: '1245620' };
/** What runs beside the games; none of it is one. */
const QUIET = {
  linux: [
    ...['/usr/lib/systemd/systemd', '/usr/bin/gnome-shell', '/usr/lib/firefox/firefox', '/usr/bin/wine'],
    ...[`${STEAM}/ubuntu12_32/steam`, `${STEAM}/ubuntu12_64/steamwebhelper`, '/opt/heroic/heroic', '/usr/bin/lutris'],
    ...[`${STEAM}/steamapps/common/SteamLinuxRuntime_sniper/pressure-vessel/bin/pv-adverb`],
    ...[`${STEAM}/steamapps/common/SteamVR/bin/linux64/vrserver`, `${STEAM}/steamapps/common/Proton 9.0 (Beta)/proton`],
    ...['/opt/zoom/zoom', '/snap/discord/200/usr/share/discord/Discord', '/home/ann/code/games/tool'],
  ].map((path) => program(path)),
  windows: [
    ...['C:\\Windows\\System32\\svchost.exe', 'C:\\Windows\\explorer.exe', 'C:\\Windows\\System32\\dwm.exe'],
    ...['C:\\Program Files (x86)\\Steam\\steam.exe', 'C:\\Program Files (x86)\\Steam\\bin\\cef\\steamwebhelper.exe'],
    ...['C:\\Program Files (x86)\\Epic Games\\Launcher\\Portal\\Binaries\\Win64\\EpicGamesLauncher.exe'],
    ...['C:\\Program Files (x86)\\Epic Games\\Launcher\\Engine\\Binaries\\Win64\\EpicWebHelper.exe'],
    ...['C:\\Program Files\\Epic Games\\UE_5.4\\Engine\\Binaries\\Win64\\UnrealEditor.exe'],
    ...['C:\\Program Files (x86)\\GOG Galaxy\\GalaxyClient.exe', 'C:\\Program Files (x86)\\Battle.net\\Battle.net.exe'],
    ...['C:\\Riot Games\\Riot Client\\RiotClientServices.exe', 'C:\\Riot Games\\League of Legends\\LeagueClient.exe'],
    ...['C:\\Program Files\\Electronic Arts\\EA Desktop\\EA Desktop\\EADesktop.exe'],
    ...['C:\\Program Files (x86)\\Ubisoft\\Ubisoft Game Launcher\\upc.exe'],
    ...['D:\\SteamLibrary\\steamapps\\common\\wallpaper_engine\\wallpaper64.exe'],
    ...['D:\\SteamLibrary\\steamapps\\common\\Hades\\UnityCrashHandler64.exe'],
    ...['D:\\SteamLibrary\\steamapps\\common\\Hades\\_CommonRedist\\vcredist\\2019\\VC_redist.x64.exe'],
    ...['D:\\SteamLibrary\\steamapps\\common\\Elden Ring\\Game\\start_protected_game.exe'],
    ...['C:\\Program Files\\WindowsApps\\Microsoft.WindowsCalculator_11.2\\CalculatorApp.exe'],
  ].map((path) => program(path)),
  macos: [
    ...['/System/Library/CoreServices/Finder.app/Contents/MacOS/Finder', '/sbin/launchd'],
    ...['/Applications/Steam.app/Contents/MacOS/steam_osx', '/Applications/Safari.app/Contents/MacOS/Safari'],
    ...['/Applications/Epic Games Launcher.app/Contents/MacOS/EpicGamesLauncher-Mac-Shipping'],
  ].map((path) => program(path)),
} as const;

describe.each(Object.entries(QUIET))('with launchers idle on %s', (_os, programs) => {
  test('there is no game', () => expect(names(programs)).toEqual([]));
});

test.each<[string, Program, string]>([
  ['Steam, native', program(`${STEAM}/steamapps/common/Hades/Hades.x86_64`), 'Hades'],
  ['Steam, Proton, by its number', program(PROTON, { name: 'eldenring.exe', ...byReaper }), 'Elden Ring'],
  ['Proton, of an unknown name', program(PROTON, { name: 'Obscure.exe', ...byReaper }), 'Obscure'],
  ['Proton without its number', program(PROTON, { name: 'Obscure.exe' }), 'Obscure'],
  [
    'Proton, by a Windows path',
    program('Z:\\home\\ann\\.local\\share\\Steam\\steamapps\\common\\Celeste\\Celeste.exe'),
    'Celeste',
  ],
  ['a shortcut in Steam', program('/home/ann/stuff/veloren', byReaper), 'veloren'],
  ['Lutris', program('/home/ann/Games/foo/foo.bin', { launchedBy: ['lutris-wrapper'] }), 'foo'],
  ['Lutris, Wine', program('/home/ann/.local/share/lutris/runners/wine/ge-8/bin/wine64', { name: 'Foo.exe' }), 'Foo'],
  ['Heroic', program('/home/ann/Games/Heroic/Prefixes/default/Alan/AlanWake.exe'), 'AlanWake'],
  ['itch', program('/home/ann/.config/itch/apps/celeste-classic/celeste'), 'celeste'],
  ['a package of the system', program('/usr/games/supertuxkart'), 'SuperTuxKart'],
  [
    'Minecraft of its launcher',
    program('C:\\Users\\A\\AppData\\Roaming\\.minecraft\\runtime\\java\\bin\\javaw.exe'),
    'Minecraft',
  ],
  ['Minecraft of another', program('/usr/lib/jvm/21/bin/java', { launchedBy: ['prismlauncher'] }), 'Minecraft'],
  ['Steam on Windows', program('D:\\SteamLibrary\\steamapps\\common\\Portal 2\\portal2.exe'), 'portal2'],
  ['Epic', program('C:\\Program Files\\Epic Games\\Control\\Control_DX12.exe'), 'Control_DX12'],
  ['Unreal', program('C:\\Program Files\\Epic Games\\X\\X\\Binaries\\Win64\\Stray-Win64-Shipping.exe'), 'Stray'],
  ['GOG', program('C:\\GOG Games\\Gwent\\Gwent.exe'), 'Gwent'],
  ['Battle.net', program('C:\\Program Files (x86)\\World of Warcraft\\_retail_\\Wow.exe'), 'World of Warcraft'],
  ['Riot', program('C:\\Riot Games\\League of Legends\\Game\\League of Legends.exe'), 'League of Legends'],
  [
    'Ubisoft',
    program('C:\\Program Files (x86)\\Ubisoft\\Ubisoft Game Launcher\\games\\Anno 1800\\Anno1800.exe'),
    'Anno1800',
  ],
  ['EA', program('C:\\Program Files\\EA Games\\Dead Space\\Dead Space.exe'), 'Dead Space'],
  ['Xbox', program('C:\\XboxGames\\Halo\\Content\\haloinfinite.exe'), 'haloinfinite'],
  [
    'the store',
    program('C:\\Program Files\\WindowsApps\\Microsoft.MinecraftUWP_1.21\\Minecraft.Windows.exe'),
    'Minecraft',
  ],
  [
    'macOS',
    program('/Users/a/Library/Application Support/Steam/steamapps/common/Hades/Hades.app/Contents/MacOS/Hades'),
    'Hades',
  ],
  ['a name alone', program('cs2', { path: null }), 'Counter-Strike 2'],
])('a game of %s', (_name, game, title) => {
  const all = [...QUIET.linux, ...QUIET.windows, ...QUIET.macos, game];
  expect(names(all)).toEqual([title]);
});

test.each([
  ['SteamVR by its number', program('/opt/vr/room', { launcherId: '250820' })],
  [
    'Wine as started by Steam',
    program('/usr/bin/wine64', { name: 'services.exe', launchedBy: ['reaper'], launcherId: '620' }),
  ],
  ['a shell that Steam starts', program('/usr/bin/bash', { launchedBy: ['reaper'], launcherId: '620' })],
  ['Java at work', program('/usr/lib/jvm/21/bin/java', { launchedBy: ['gradle'] })],
  ['Wine at work', program('/usr/bin/wine64-preloader', { name: 'notepad++.exe' })],
])('%s is none', (_name, tool) => expect(names([tool])).toEqual([]));

test('several processes of one game are one, in the order given', () => {
  const [game, other] = [program('C:\\GOG Games\\A\\a.exe'), program('C:\\GOG Games\\B\\b.exe')];
  expect(names([game, { ...game }, other, game])).toEqual(['a', 'b']);
});

describe("the owner's word", () => {
  const tool = program('/opt/blender/blender');
  const game = program('C:\\GOG Games\\Gwent\\Gwent.exe');
  const wow = program('C:\\Program Files (x86)\\World of Warcraft\\_retail_\\Wow.exe');
  test.each([
    ['BLENDER', 'a name, however it is written'],
    ['/opt/Blender/', 'a folder'],
  ])('makes a game: %s, %s', (word) => expect(names([tool], { own: [word], ignored: [] })).toEqual(['blender']));
  test.each([
    ['gwent.exe', 'a file'],
    ['C:/GOG Games', 'a folder with the other slashes'],
    ['GWENT', 'a part'],
  ])('makes none: %s, %s', (word) => expect(gamesAmong([game], { own: [], ignored: [word] })).toEqual([]));
  test('may be the title that it was told', () => {
    expect(gamesAmong([wow], { own: [], ignored: ['World of Warcraft'] })).toEqual([]);
  });
  test('no over yes, and its signs mean themselves', () => {
    expect(gamesAmong([tool], { own: ['blender'], ignored: ['blender'] })).toEqual([]);
    expect(gamesAmong([tool], { own: ['b.*r'], ignored: [] })).toEqual([]);
  });
});

test('what could be taught: each once, games first, without the system and launchers', () => {
  const editor = program('/opt/blender/blender');
  const game = program(`${STEAM}/steamapps/common/Hades/Hades.x86_64`);
  const apps = runningApps([...QUIET.linux, editor, { ...editor }, game], { own: [], ignored: [] });
  expect(apps[0]).toEqual({ name: 'Hades', path: game.path, game: true });
  expect(apps.map(({ name }) => name)).toEqual(['Hades', 'blender', 'Discord', 'tool', 'zoom']);
  expect(runningApps([editor], { own: ['blender'], ignored: [] })).toMatchObject([{ game: true }]);
  expect(runningApps([game], { own: [], ignored: ['hades'] })).toMatchObject([{ name: 'Hades', game: false }]);
});

test('five hundred programs ten times a second cost next to nothing', () => {
  const many = Array.from({ length: 500 }, (_, index) => program(`/usr/lib/some/folder/program-${index}`));
  const choice = { own: ['some-game', 'other'], ignored: ['tool'] };
  gamesAmong(many, choice);
  const from = performance.now();
  for (let round = 0; round < 100; round += 1) gamesAmong(many, choice);
  expect((performance.now() - from) / 100).toBeLessThan(10);
});
