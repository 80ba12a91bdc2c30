import type x11 from 'x11';
import type { Source } from '../ports.ts';
import type { XServer, XSession } from './x11-connection.ts';

/** `ours`: processes whose windows do not count. */
export type FullscreenOptions = { readonly ours: readonly number[] };

const EVENT_MASK = { structure: 1 << 17, substructure: 1 << 19, property: 1 << 22 };
const VIEWABLE = 2;
const INPUT_OUTPUT = 1;
const WORDS = 256;

const ATOMS = [
  '_NET_SUPPORTING_WM_CHECK',
  '_NET_ACTIVE_WINDOW',
  '_NET_WM_STATE',
  '_NET_WM_STATE_FULLSCREEN',
  '_NET_WM_STATE_HIDDEN',
  '_NET_WM_STATE_MAXIMIZED_VERT',
  '_NET_WM_WINDOW_TYPE',
  '_NET_WM_WINDOW_TYPE_DESKTOP',
  '_NET_WM_WINDOW_TYPE_DOCK',
  '_NET_WM_WINDOW_TYPE_NOTIFICATION',
  '_NET_WM_WINDOW_TYPE_SPLASH',
  '_NET_WM_PID',
  '_NET_WM_NAME',
  'WM_CLASS',
] as const;
type Atoms = Readonly<Record<(typeof ATOMS)[number], number>>;

/** Screen savers, locks and desktops cover screens when nobody uses the machine. By class, in lower case. */
const COVERS =
  /^(idlemesh|xscreensaver|i3lock|slock|xsecurelock|light-locker|swaylock|kscreenlocker.*|.*-screensaver|xdesktop|plasmashell|gnome-shell|cinnamon|xfdesktop|pcmanfm|nemo-desktop|caja|conky)$/;
/** The class of these is a number or a launcher: the window's title says more. */
const NAMELESS = /^(steam_app_.*|steam_proton|wine|.*\.exe)$/i;

/**
 * The application that fills a screen, by EWMH (_NET_ACTIVE_WINDOW, _NET_WM_STATE_FULLSCREEN) or, as old games do it, with a window
 * exactly as large as a monitor and out of the window manager's hands. Without a window manager nothing counts.
 */
export function x11Fullscreen(
  server: XServer,
  options: FullscreenOptions,
): Source<{ readonly name: string } | null> & { readonly close: () => void } {
  const listeners = new Set<() => void>();
  const tell = (): void => {
    for (const listener of [...listeners]) listener();
  };
  let prepared: { readonly session: XSession; readonly look: Promise<ReturnType<typeof watchWindows>> } | null = null;
  const off = { watch: null as (() => void) | null };

  function looking(session: XSession): Promise<ReturnType<typeof watchWindows>> {
    if (prepared?.session !== session)
      prepared = { session, look: atoms(session).then((known) => watchWindows(session, known, options, tell)) };
    return prepared.look;
  }
  return {
    name: 'X11',
    every: { rest: null, ready: null, watch: null },
    timeoutMs: 1_000,
    async read() {
      off.watch ??= server.watch(tell);
      const session = await server.get();
      if (session === null) return 'unknown';
      try {
        return await (await looking(session)).read();
      } catch {
        return 'unknown';
      }
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      off.watch?.();
      listeners.clear();
    },
  };
}

async function atoms({ client, ask }: XSession): Promise<Atoms> {
  const pairs = await Promise.all(
    ATOMS.map(async (name) => [name, await ask<number>((reply) => client.InternAtom(false, name, reply))] as const),
  );
  return Object.fromEntries(pairs) as Atoms;
}

function watchWindows(session: XSession, atom: Atoms, options: FullscreenOptions, tell: () => void) {
  const { client, root, ask } = session;
  /** The active window, and those that other programs put on the screen by themselves. */
  const watched = new Set<number>([root]);
  const select = (window: number, eventMask: number): void => {
    if (watched.has(window)) return;
    watched.add(window);
    // A window may be gone by now.
    ask((done) => client.ChangeWindowAttributes(window, { eventMask }, done)).catch(() => watched.delete(window));
  };
  // `substructure` for windows the window manager knows nothing of.
  client.ChangeWindowAttributes(
    root,
    { eventMask: EVENT_MASK.property | EVENT_MASK.substructure | EVENT_MASK.structure },
    () => true,
  );
  session.onEvent((event) => {
    const { name, wid } = event;
    if (name === 'PropertyNotify') {
      const asked = wid === root ? atom._NET_ACTIVE_WINDOW : atom._NET_WM_STATE;
      const checked = wid === root && event.atom === atom._NET_SUPPORTING_WM_CHECK;
      if (checked || (event.atom === asked && wid !== undefined && watched.has(wid))) tell();
    } else if (name === 'MapNotify' || name === 'ConfigureNotify') {
      if (event.overrideRedirect || (wid !== undefined && watched.has(wid))) tell();
    } else if ((name === 'UnmapNotify' || name === 'DestroyNotify') && wid !== undefined && watched.has(wid)) {
      if (name === 'DestroyNotify') watched.delete(wid);
      tell();
    }
  });

  const property = async (window: number, name: number): Promise<Buffer> =>
    (await ask<x11.Property>((reply) => client.GetProperty(0, window, name, 0, 0, WORDS, reply))).data;
  const words = async (window: number, name: number): Promise<readonly number[]> => {
    const data = await property(window, name);
    return Array.from({ length: data.length >> 2 }, (_, i) => data.readUInt32LE(i * 4));
  };
  const text = async (window: number, name: number): Promise<string> =>
    (await property(window, name)).toString('utf8').replace(/\0+$/, '');

  async function monitors(): Promise<readonly x11.Rectangle[]> {
    const { randr } = session;
    const screen = await ask<x11.Geometry>((reply) => client.GetGeometry(root, reply));
    const whole = { x: 0, y: 0, width: screen.width, height: screen.height };
    if (randr === null) return [whole];
    const { crtcs } = await ask<{ readonly crtcs: readonly number[] }>((reply) =>
      randr.GetScreenResourcesCurrent(root, reply),
    );
    const shown = await Promise.all(
      crtcs.map((crtc) => ask<x11.Rectangle & { mode: number }>((reply) => randr.GetCrtcInfo(crtc, 0, reply))),
    );
    return [whole, ...shown.filter(({ mode }) => mode !== 0)];
  }
  async function fills(window: number): Promise<boolean> {
    const [size, at, screens] = await Promise.all([
      ask<x11.Geometry>((reply) => client.GetGeometry(window, reply)),
      ask<{ destX: number; destY: number }>((reply) => client.TranslateCoordinates(window, root, 0, 0, reply)),
      monitors(),
    ]);
    return screens.some(
      ({ x, y, width, height }) => x === at.destX && y === at.destY && width === size.width && height === size.height,
    );
  }
  /** null: what fills the screen is no application, or has no name, as a compositor's helpers. */
  async function application(window: number): Promise<{ readonly name: string } | null> {
    const [types, [pid], classes, title] = await Promise.all([
      words(window, atom._NET_WM_WINDOW_TYPE),
      words(window, atom._NET_WM_PID),
      text(window, atom.WM_CLASS),
      text(window, atom._NET_WM_NAME),
    ]);
    const [instance = '', kind = instance] = classes.split('\0');
    const scenery = [
      atom._NET_WM_WINDOW_TYPE_DESKTOP,
      atom._NET_WM_WINDOW_TYPE_DOCK,
      atom._NET_WM_WINDOW_TYPE_NOTIFICATION,
      atom._NET_WM_WINDOW_TYPE_SPLASH,
    ];
    if (types.some((type) => scenery.includes(type))) return null;
    if (pid !== undefined && options.ours.includes(pid)) return null;
    if (COVERS.test(kind.toLowerCase()) || COVERS.test(instance.toLowerCase())) return null;
    const name = kind === '' || (NAMELESS.test(kind) && title !== '') ? title : kind;
    return name === '' ? null : { name: name.slice(0, 80) };
  }
  async function active(): Promise<{ readonly name: string } | null> {
    const [window = 0] = await words(root, atom._NET_ACTIVE_WINDOW);
    if (window === 0) return null;
    select(window, EVENT_MASK.property | EVENT_MASK.structure);
    const states = await words(window, atom._NET_WM_STATE);
    if (states.includes(atom._NET_WM_STATE_HIDDEN)) return null;
    const says = states.includes(atom._NET_WM_STATE_FULLSCREEN);
    // A maximised window without a frame can be as large as a screen without a panel; it is no game for that.
    if (!says && (states.includes(atom._NET_WM_STATE_MAXIMIZED_VERT) || !(await fills(window)))) return null;
    return application(window);
  }
  async function outside(): Promise<{ readonly name: string } | null> {
    const { children } = await ask<{ readonly children: readonly number[] }>((reply) => client.QueryTree(root, reply));
    for (const window of [...children].reverse()) {
      const { mapState, overrideRedirect, klass } = await ask<x11.Attributes>((reply) =>
        client.GetWindowAttributes(window, reply),
      );
      if (!overrideRedirect || mapState !== VIEWABLE || klass !== INPUT_OUTPUT || !(await fills(window))) continue;
      const found = await application(window);
      if (found === null) continue;
      watched.add(window);
      return found;
    }
    return null;
  }
  return {
    async read(): Promise<{ readonly name: string } | null> {
      if ((await words(root, atom._NET_SUPPORTING_WM_CHECK)).length === 0) return null;
      // A window may go while it is looked at: then the next look decides.
      const attempt = async (): Promise<{ readonly name: string } | null> => (await active()) ?? (await outside());
      return attempt().catch(() => attempt());
    },
  };
}
