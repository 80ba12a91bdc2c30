import { describe, expect, it } from 'vitest';
import { busAddresses } from '../../../agent/adapters/linux-desktop.ts';
import { idleWays, windowsAreVisible } from '../../../agent/idle-order.ts';

describe('who tells when somebody last touched the machine', () => {
  it.each([
    ['win32', {}, ['host']],
    ['darwin', {}, ['host']],
    ['linux', { DISPLAY: ':0' }, ['x11', 'other-sessions']],
    ['linux', { DISPLAY: ':0', XDG_SESSION_TYPE: 'x11', XDG_CURRENT_DESKTOP: 'GNOME' }, ['x11', 'other-sessions']],
    [
      'linux',
      { DISPLAY: ':0', XDG_SESSION_TYPE: 'wayland', XDG_CURRENT_DESKTOP: 'ubuntu:GNOME' },
      ['mutter', 'other-sessions'],
    ],
    ['linux', { WAYLAND_DISPLAY: 'wayland-0', XDG_CURRENT_DESKTOP: 'KDE' }, ['screen-saver', 'other-sessions']],
    ['linux', { WAYLAND_DISPLAY: 'wayland-1', DISPLAY: ':1' }, ['logind', 'other-sessions']],
    ['linux', { XDG_SESSION_TYPE: 'wayland', XDG_CURRENT_DESKTOP: 'sway' }, ['logind', 'other-sessions']],
    ['linux', { XDG_SESSION_TYPE: 'tty' }, ['terminals', 'other-sessions']],
    ['linux', { DISPLAY: '' }, ['terminals', 'other-sessions']],
  ])('on %s with %o: %j', (platform, environment, ways) => {
    expect(idleWays(platform, environment)).toEqual(ways);
    if (ways.includes('x11')) expect(windowsAreVisible(platform, environment)).toBe(true);
    else expect(windowsAreVisible(platform, environment)).toBe(false);
  });
});

describe('where the buses are', () => {
  it('takes what the environment says, then the usual places, then none', () => {
    const given = { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/a', DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/b' };
    expect(busAddresses(given, 7, () => false)).toEqual({ session: 'unix:path=/a', system: 'unix:path=/b' });
    expect(busAddresses({}, 7, () => true)).toEqual({
      session: 'unix:path=/run/user/7/bus',
      system: 'unix:path=/run/dbus/system_bus_socket',
    });
    expect(busAddresses({}, 7, () => false)).toEqual({ session: null, system: null });
  });
});
