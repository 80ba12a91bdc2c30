import type { Source } from '../ports.ts';
import { type Bus, type BusSession, busSource, isAbsent } from './bus.ts';
import { changesOf, ownerOf } from './bus-signals.ts';

type Media = Source<{ readonly name: string } | null>;
type Found = { readonly name: string } | null;

/** `ours`: processes of ours; our names and they never keep the machine busy. */
export type MediaOptions = { readonly ours: readonly number[] };
const OURS = /idlemesh/i;

const PLAYERS = 'org.mpris.MediaPlayer2';
const PLAYER = { path: '/org/mpris/MediaPlayer2', interface: 'org.mpris.MediaPlayer2.Player' } as const;
/**
 * Players that play nothing but music, by the last part of their name on the bus. Music left on does not mean that somebody is
 * there; whatever may show a film does.
 */
const MUSIC =
  /^(spotify|rhythmbox|clementine|strawberry|amarok|audacious|cmus|mpd|mopidy|elisa|lollypop|quodlibet|deadbeef|tauon|sayonara|gnome-?music|org\.gnome\.music|ncspot|spotifyd|shairport-?sync|feishin|gapless|amberol|io\.bassi\.amberol|pragha|exaile|banshee|qmmp|juk|cantata|tidal-hifi|cider|youtube-?music)$/i;

/** Players that play, except those for music alone. */
export const mprisMedia = (bus: Bus, { ours }: MediaOptions): Media =>
  busSource(bus, {
    name: 'MPRIS',
    signals: [ownerOf(PLAYERS), changesOf(PLAYER.interface, PLAYER.path)],
    async read(session) {
      const names = await session.names(`${PLAYERS}.`);
      let doubt = false;
      for (const name of names) {
        const kind = name.slice(PLAYERS.length + 1).replace(/\.instance[-_\w]*$/i, '');
        if (MUSIC.test(kind) || OURS.test(kind)) continue;
        try {
          const { PlaybackStatus: status } = await session.properties(name, PLAYER.path, PLAYER.interface);
          if (typeof status !== 'string') doubt = true;
          if (status !== 'Playing' || ours.includes(await session.pidOf(name))) continue;
          const { Identity: identity } = await session
            .properties(name, PLAYER.path, PLAYERS)
            .catch((): Readonly<Record<string, unknown>> => ({}));
          return { name: typeof identity === 'string' && identity !== '' ? identity : kind };
        } catch (error) {
          if (!isAbsent(error)) doubt = true;
        }
      }
      return doubt ? 'unknown' : null;
    },
  });

const GNOME = {
  to: 'org.gnome.SessionManager',
  path: '/org/gnome/SessionManager',
  interface: 'org.gnome.SessionManager',
} as const;
/** Of org.gnome.SessionManager.Inhibit: "inhibit the session being marked as idle". */
const GNOME_IDLE = 8;

/** Applications that asked GNOME, or a desktop like it, to keep the session from being idle. */
export const gnomeInhibitors = (bus: Bus): Media =>
  busSource(bus, {
    name: 'GNOME',
    signals: [
      ownerOf(GNOME.to),
      { path: GNOME.path, interface: GNOME.interface, member: 'InhibitorAdded' },
      { path: GNOME.path, interface: GNOME.interface, member: 'InhibitorRemoved' },
    ],
    async read(session) {
      const [inhibited] = await session.call({ ...GNOME, member: 'IsInhibited', arguments: ['u', GNOME_IDLE] });
      if (typeof inhibited !== 'boolean') return 'unknown';
      if (!inhibited) return null;
      const [paths] = await session.call({ ...GNOME, member: 'GetInhibitors' });
      if (!Array.isArray(paths)) return 'unknown';
      return firstNamed(
        await Promise.all(
          paths.map(async (path) => {
            const at = { to: GNOME.to, path: String(path), interface: 'org.gnome.SessionManager.Inhibitor' };
            const [[flags], [app]] = await Promise.all([
              session.call({ ...at, member: 'GetFlags' }),
              session.call({ ...at, member: 'GetAppId' }),
            ]);
            return (Number(flags) & GNOME_IDLE) === 0 ? null : String(app);
          }),
        ),
      );
    },
  });

const POLICY = {
  to: 'org.kde.Solid.PowerManagement.PolicyAgent',
  path: '/org/kde/Solid/PowerManagement/PolicyAgent',
  interface: 'org.kde.Solid.PowerManagement.PolicyAgent',
} as const;
const POWER = {
  to: 'org.freedesktop.PowerManagement',
  path: '/org/freedesktop/PowerManagement/Inhibit',
  interface: 'org.freedesktop.PowerManagement.Inhibit',
} as const;

/** The same for KDE, and for the desktops with org.freedesktop.PowerManagement, which do not say who asks. */
export const powerInhibitors = (bus: Bus): Media =>
  busSource(bus, {
    name: 'power management',
    signals: [
      ...[ownerOf(POLICY.to), ownerOf(POWER.to)],
      { path: POLICY.path, interface: POLICY.interface, member: 'InhibitionsChanged' },
      { path: POWER.path, interface: POWER.interface, member: 'HasInhibitChanged' },
    ],
    async read(session) {
      const list = await session.call({ ...POLICY, member: 'ListInhibitions' }).catch((error: unknown) => {
        if (!isAbsent(error)) throw error;
        return null;
      });
      if (list !== null)
        return Array.isArray(list[0]) ? firstNamed(list[0].map((entry) => String(entry[0]))) : 'unknown';
      const [held] = await session.call({ ...POWER, member: 'HasInhibit' });
      return typeof held !== 'boolean' ? 'unknown' : held ? { name: 'power management' } : null;
    },
  });

/** Programs that block idleness at logind. */
export const logindInhibitors = (bus: Bus, { ours }: MediaOptions): Media =>
  busSource(bus, {
    name: 'logind',
    signals: [
      ownerOf('org.freedesktop.login1'),
      changesOf('org.freedesktop.login1.Manager', '/org/freedesktop/login1'),
    ],
    read: async (session: BusSession) => {
      const [list] = await session.call({
        ...{ to: 'org.freedesktop.login1', path: '/org/freedesktop/login1' },
        ...{ interface: 'org.freedesktop.login1.Manager', member: 'ListInhibitors' },
      });
      if (!Array.isArray(list)) return 'unknown';
      return firstNamed(
        list.map((entry: readonly unknown[]) => {
          const [what, who, , mode, , pid] = entry;
          const blocks = mode === 'block' && String(what).split(':').includes('idle');
          return blocks && !ours.includes(Number(pid)) ? String(who) : null;
        }),
      );
    },
  });

function firstNamed(names: readonly (string | null)[]): Found {
  const name = names.find((one): one is string => one !== null && !OURS.test(one));
  return name === undefined ? null : { name: name === '' ? 'an application' : name };
}
