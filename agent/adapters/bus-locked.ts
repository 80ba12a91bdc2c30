import type { Source } from '../ports.ts';
import { type Bus, busSource } from './bus.ts';
import { ownerOf } from './bus-signals.ts';

/** The first of these that is there knows; they agree on the rest of the interface. */
const SAVERS = [
  { to: 'org.gnome.ScreenSaver', path: '/org/gnome/ScreenSaver' },
  { to: 'org.cinnamon.ScreenSaver', path: '/org/cinnamon/ScreenSaver' },
  { to: 'org.mate.ScreenSaver', path: '/org/mate/ScreenSaver' },
  { to: 'org.xfce.ScreenSaver', path: '/org/xfce/ScreenSaver' },
  { to: 'org.kde.screensaver', path: '/ScreenSaver', interface: 'org.freedesktop.ScreenSaver' },
] as const;
const interfaceOf = (saver: (typeof SAVERS)[number]): string => ('interface' in saver ? saver.interface : saver.to);

/** Whether the desktop's own lock screen is up. */
export const screenSaverLocked = (bus: Bus): Source<boolean> =>
  busSource(bus, {
    name: 'screen saver',
    signals: SAVERS.flatMap((saver) => [
      ownerOf(saver.to),
      { path: saver.path, interface: interfaceOf(saver), member: 'ActiveChanged' },
    ]),
    async read(session) {
      const there = new Set(await session.names('org.'));
      const saver = SAVERS.find(({ to }) => there.has(to));
      if (saver === undefined) return 'unavailable';
      const [active] = await session.call({
        ...{ to: saver.to, path: saver.path, interface: interfaceOf(saver), member: 'GetActive' },
      });
      return typeof active === 'boolean' ? active : 'unknown';
    },
  });
