export type Environment = Readonly<Record<string, string | undefined>>;

/** A way to learn when somebody last touched the machine. */
export type IdleWay =
  /** The runtime that shows the window tells: Windows and macOS. */
  | 'host'
  | 'x11'
  | 'mutter'
  | 'screen-saver'
  | 'logind'
  /** Sessions of others and from afar. */
  | 'other-sessions'
  | 'terminals';

/**
 * Which ways are to be believed; all of them count, and one that is doubtful makes the whole doubtful.
 *
 * Under Wayland the compositor alone knows: Xwayland, and with it Electron, sees input into X windows only and would put
 * work in the owner's way. GNOME's compositor tells. KDE answers 0 for ever, which the screen saver's reading takes as doubt, and
 * so are desktops that tell logind nothing. Without a desktop the terminals tell.
 */
export function idleWays(platform: string, environment: Environment): readonly IdleWay[] {
  if (platform !== 'linux') return ['host'];
  const type = environment['XDG_SESSION_TYPE'];
  const desktop = (environment['XDG_CURRENT_DESKTOP'] ?? '').toLowerCase().split(':');
  if (type === 'wayland' || environment['WAYLAND_DISPLAY']) {
    if (desktop.some((name) => /^(gnome|gnome-classic|ubuntu|unity|pop|budgie)$/.test(name)))
      return ['mutter', 'other-sessions'];
    if (desktop.includes('kde')) return ['screen-saver', 'other-sessions'];
    return ['logind', 'other-sessions'];
  }
  if (environment['DISPLAY']) return ['x11', 'other-sessions'];
  return ['terminals', 'other-sessions'];
}

/** Whether windows can be looked at: under Wayland only those of X applications are to be seen, which is no answer. */
export const windowsAreVisible = (platform: string, environment: Environment): boolean =>
  platform === 'linux' &&
  !!environment['DISPLAY'] &&
  environment['XDG_SESSION_TYPE'] !== 'wayland' &&
  !environment['WAYLAND_DISPLAY'];
