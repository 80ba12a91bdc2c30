import { afterEach, describe, expect, test } from 'vitest';
import { networkMetered } from '../../../agent/adapters/bus-machine.ts';
import { gnomeInhibitors, logindInhibitors, mprisMedia, powerInhibitors } from '../../../agent/adapters/bus-media.ts';
import type { TestService } from '../../support/bus.ts';
import { follow, leave, settles, stage } from '../../support/bus-stage.ts';
import { until } from '../../support/wait.ts';

afterEach(leave);

const LOGIN = 'org.freedesktop.login1';
const MANAGER = 'org.freedesktop.login1.Manager';

describe('media', () => {
  const PLAYER = 'org.mpris.MediaPlayer2.Player';
  const player = (service: TestService, status: string): void =>
    service.set('/org/mpris/MediaPlayer2', PLAYER, { PlaybackStatus: ['s', status] });

  test('a film that plays counts; one that pauses, music, and what is ours do not', async () => {
    const { bus, play } = await stage();
    const media = follow(mprisMedia(bus, { ours: [] }));
    expect(await media.first).toBeNull();
    player(await play('org.mpris.MediaPlayer2.spotify'), 'Playing');
    player(await play('org.mpris.MediaPlayer2.idlemesh.instance12'), 'Playing');
    const vlc = await play('org.mpris.MediaPlayer2.vlc.instance77');
    vlc.properties['/org/mpris/MediaPlayer2 org.mpris.MediaPlayer2'] = { Identity: ['s', 'VLC media player'] };
    player(vlc, 'Paused');
    await settles(media, null);
    player(vlc, 'Playing');
    await settles(media, { name: 'VLC media player' });
    vlc.stop();
    await settles(media, null);
    expect(await mprisMedia(bus, { ours: [process.pid] }).read()).toBeNull();
  });

  test('what keeps GNOME awake has a name', async () => {
    const { bus, play } = await stage();
    const gnome = await play('org.gnome.SessionManager');
    let flags = 4;
    gnome.answer = ({ member }) =>
      member === 'IsInhibited'
        ? ['b', flags === 8]
        : member === 'GetInhibitors'
          ? ['ao', ['/org/gnome/SessionManager/Inhibitor1']]
          : member === 'GetFlags'
            ? ['u', flags]
            : ['s', 'Firefox'];
    const media = follow(gnomeInhibitors(bus));
    expect(await media.first).toBeNull();
    flags = 8;
    gnome.signal('/org/gnome/SessionManager', 'org.gnome.SessionManager', 'InhibitorAdded', 'o', '/x');
    await settles(media, { name: 'Firefox' });
  });

  test('what keeps KDE awake, and desktops that do not say who', async () => {
    const { bus, play } = await stage();
    const media = follow(powerInhibitors(bus));
    expect(await media.first).toBe('unavailable');
    const power = await play('org.freedesktop.PowerManagement');
    power.answer = () => ['b', true];
    await until('the desktop', async () => JSON.stringify(await powerInhibitors(bus).read()).includes('power'));
    const kde = await play('org.kde.Solid.PowerManagement.PolicyAgent');
    kde.answer = () => [
      'a(ss)',
      [
        ['Idlemesh', 'x'],
        ['mpv', 'film'],
      ],
    ];
    await until('KDE', async () => JSON.stringify(await powerInhibitors(bus).read()) === '{"name":"mpv"}');
  });

  test('what blocks idleness at logind counts, sleep and delays do not', async () => {
    const { bus, play } = await stage();
    const service = await play(LOGIN);
    const entry = (what: string, who: string, mode: string, pid = 1): unknown[] => [what, who, 'why', mode, 1000, pid];
    let list = [entry('sleep', 'UPower', 'block'), entry('idle', 'x', 'delay'), entry('idle', 'me', 'block', 42)];
    service.answer = ({ member }) => (member === 'ListInhibitors' ? ['a(ssssuu)', list] : null);
    const media = follow(logindInhibitors(bus, { ours: [42] }));
    expect(await media.first).toBeNull();
    list = [...list, entry('sleep:idle', 'mpv', 'block')];
    service.set('/org/freedesktop/login1', MANAGER, { BlockInhibited: ['s', 'idle'] });
    await settles(media, { name: 'mpv' });
  });
});

test.each([
  [0, 'unavailable'],
  [1, true],
  [2, false],
  [3, true],
  [4, false],
  [9, 'unknown'],
])('a network whose meter says %d', async (value, expected) => {
  const { bus, play } = await stage();
  const network = await play('org.freedesktop.NetworkManager');
  network.set('/org/freedesktop/NetworkManager', 'org.freedesktop.NetworkManager', { Metered: ['u', value] });
  expect(await networkMetered(bus).read()).toBe(expected);
});
