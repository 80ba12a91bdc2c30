export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Whether the system's idle time can be believed. Under Wayland the compositor tells it to nobody: what comes back is
 * always 0, or grows while somebody types into a native window, which would put work in the owner's way.
 */
export const idleTimeIsReadable = (platform: string, environment: Environment): boolean =>
  platform !== 'linux' ||
  (environment['XDG_SESSION_TYPE'] !== 'wayland' && !environment['WAYLAND_DISPLAY'] && !!environment['DISPLAY']);
