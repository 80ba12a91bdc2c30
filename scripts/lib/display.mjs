import { which } from './run.mjs';
import { ensurePackages } from './system.mjs';

/**
 * Whether a window can be shown here.
 * @param {string} platform
 * @param {Readonly<Record<string, string | undefined>>} env
 * @returns {boolean}
 */
export function hasDisplay(platform = process.platform, env = process.env) {
  return platform !== 'linux' || Boolean(env['DISPLAY'] || env['WAYLAND_DISPLAY']);
}

/** What the tests of the real window need on Linux, by program; the package is of the same name unless given. */
const TOOLS = /** @type {const} */ ([
  ['Xvfb', 'xvfb'],
  ['xauth', 'xauth'],
  ['dbus-run-session', 'dbus'],
  ['dbus-launch', 'dbus-x11'],
  ['xdotool', 'xdotool'],
  ['import', 'imagemagick'],
  ['ffmpeg', 'ffmpeg'],
  ['runsc', 'runsc'],
  ['ip', 'iproute2'],
]);

/**
 * @param {readonly string[]} programs which of them; all without
 * @returns {Promise<string>}
 */
export async function testTools(programs = TOOLS.map(([program]) => program)) {
  const lacking = TOOLS.filter(([program]) => programs.includes(program) && !which(program)).map(([, name]) => name);
  if (lacking.length === 0) return '';
  const installed = await ensurePackages(
    lacking,
    'Testing the real window',
    `Install the equivalents of ${lacking.join(', ')}.`,
  );
  return installed.join(', ');
}

/**
 * A command inside a session bus and a virtual screen of its own.
 * @param {readonly string[]} words
 * @returns {readonly [file: string, args: readonly string[]]}
 */
export function onVirtualDisplay(words) {
  return ['dbus-run-session', ['--', 'xvfb-run', '-a', '-s', '-screen 0 1440x960x24 -nolisten tcp', ...words]];
}
