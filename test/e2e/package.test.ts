import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FuseState, FuseV1Options, getCurrentFuseWire } from '@electron/fuses';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { root } from '../../scripts/lib/paths.mjs';
import { which } from '../../scripts/lib/run.mjs';

const USER = 'idlemesh-check';
const PACKAGE = 'idlemesh';
const APT = ['-y', '-o', 'DPkg::Lock::Timeout=300', '--no-install-recommends'];
const quiet: { readonly encoding: 'utf8'; readonly stdio: 'pipe'; readonly env: NodeJS.ProcessEnv } = {
  encoding: 'utf8',
  stdio: 'pipe',
  env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
};

const installed = (): boolean =>
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the field syntax is dpkg's own
  spawnSync('dpkg-query', ['-W', '-f', '${db:Status-Status}', PACKAGE], quiet).stdout === 'installed';

/** Installing needs root and dpkg; a copy that somebody uses is never touched. */
const possible =
  process.getuid?.() === 0 && which('dpkg') !== undefined && which('apt-get') !== undefined && !installed();

/**
 * Starts the installed program on a bus and a screen of its own, waits until its window shows a drawn page, notes whether
 * the renderers are sandboxed, and quits it. It is run by a user who is not root.
 */
const LAUNCH = `
idlemesh &
app=$!
trap 'kill -KILL $app 2>/dev/null' EXIT
timeout 60 xdotool search --sync --onlyvisible --name Idlemesh >/dev/null || exit 3
for attempt in $(seq 150); do
  import -window root "$1/window.png"
  [ "$(identify -format %k "$1/window.png")" -gt 60 ] && break
done
for renderer in $(pgrep -u "$(id -u)" -f -- --type=renderer); do
  grep -h Seccomp: "/proc/$renderer/status" >> "$1/renderers"
done
pgrep -u "$(id -u)" -a idlemesh > "$1/processes"
kill -TERM $app
trap - EXIT
wait $app
`;

/** Path and content hash of every file below a folder. */
function contents(dir: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
    const path = join(dir, name);
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) continue;
    found.set(name, createHash('sha256').update(readFileSync(path)).digest('hex'));
  }
  return found;
}

describe.skipIf(!possible)('the Debian package', () => {
  const out = mkdtempSync(join(tmpdir(), 'idlemesh-package-test-'));
  const script = join(out, 'launch.sh');
  const home = join('/home', USER);
  const data = join(home, '.config', 'Idlemesh');
  let file = '';

  beforeAll(() => {
    execFileSync(process.execPath, [join(root, 'scripts/dist.mjs'), 'deb'], quiet);
    file = readdirSync(join(root, 'dist')).find((name) => name.endsWith('.deb')) ?? '';
    chmodSync(out, 0o777);
    writeFileSync(script, LAUNCH);
    spawnSync('userdel', ['--remove', '--force', USER], quiet);
    execFileSync('useradd', ['--create-home', '--shell', '/bin/bash', USER], quiet);
  }, 300_000);

  afterAll(() => {
    spawnSync('apt-get', ['purge', ...APT.slice(0, 3), PACKAGE], quiet);
    spawnSync('userdel', ['--remove', '--force', USER], quiet);
    rmSync(out, { recursive: true, force: true });
  });

  test('names what it needs and what it leaves', () => {
    const about = execFileSync('dpkg-deb', ['--info', join(root, 'dist', file)], quiet);
    expect(about).toMatch(/Package: idlemesh\n/);
    expect(about).toMatch(/Depends: .*libgtk-3-0/);
    expect(about).toMatch(/leaves your wallet/);
    const removal = execFileSync('dpkg-deb', ['--info', join(root, 'dist', file), 'postrm'], quiet);
    expect(removal).not.toMatch(/\$HOME|\/home|\.config|XDG/);
  });

  test('installs, with a command, a menu entry and icons', () => {
    execFileSync('apt-get', ['install', ...APT, join(root, 'dist', file)], quiet);
    expect(installed()).toBe(true);
    expect(existsSync('/usr/bin/idlemesh')).toBe(true);
    expect(readFileSync('/usr/share/applications/idlemesh.desktop', 'utf8')).toMatch(/^Exec=.*idlemesh/m);
    expect(existsSync('/usr/share/icons/hicolor/48x48/apps/idlemesh.png')).toBe(true);
  }, 300_000);

  test('leaves no door of the runtime open', async () => {
    const fuses = await getCurrentFuseWire('/opt/Idlemesh/idlemesh');
    const on = FuseState.ENABLE;
    const off = FuseState.DISABLE;
    expect(fuses).toMatchObject({
      [FuseV1Options.RunAsNode]: off,
      [FuseV1Options.EnableNodeOptionsEnvironmentVariable]: off,
      [FuseV1Options.EnableNodeCliInspectArguments]: off,
      [FuseV1Options.EnableCookieEncryption]: on,
      [FuseV1Options.EnableEmbeddedAsarIntegrityValidation]: on,
      [FuseV1Options.OnlyLoadAppFromAsar]: on,
    });
  });

  test('shows its window to a user who is not root, in the sandbox, and quits when told', () => {
    const screens = join(root, 'test-results/screens');
    const session = ['dbus-run-session', '--', 'xvfb-run', '-a', '-s', '-screen 0 1280x900x24', 'bash', script, out];
    const environment = ['env', '-i', `HOME=${home}`, 'PATH=/usr/local/bin:/usr/bin:/bin', 'LANG=C.UTF-8'];
    const run = spawnSync('runuser', ['-u', USER, '--', ...environment, ...session], {
      ...quiet,
      cwd: '/',
      timeout: 180_000,
    });
    if (existsSync(join(out, 'window.png'))) {
      mkdirSync(screens, { recursive: true });
      writeFileSync(join(screens, 'package.png'), readFileSync(join(out, 'window.png')));
    }
    expect(run.status, `${run.stdout}\n${run.stderr}`).toBe(0);
    const seccomp = readFileSync(join(out, 'renderers'), 'utf8').trim().split('\n');
    expect(seccomp.length).toBeGreaterThan(0);
    expect(seccomp.every((line) => /Seccomp:\s*2$/.test(line))).toBe(true);
    expect(readFileSync(join(out, 'processes'), 'utf8')).not.toContain('--no-sandbox');
    expect(Number(execFileSync('identify', ['-format', '%k', join(out, 'window.png')], quiet))).toBeGreaterThan(60);
    expect([...contents(data).keys()]).toContain('vault.json');
  }, 200_000);

  test('goes without a trace but the wallet and settings', () => {
    const before = contents(data);
    execFileSync('apt-get', ['purge', ...APT.slice(0, 3), PACKAGE], quiet);
    expect(installed()).toBe(false);
    expect(existsSync('/usr/bin/idlemesh')).toBe(false);
    expect(existsSync('/opt/Idlemesh')).toBe(false);
    expect(contents(data)).toEqual(before);
  }, 120_000);
});
