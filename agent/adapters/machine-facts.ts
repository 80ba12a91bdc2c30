import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { MachineFacts } from '../../core/doctor.ts';

const run = promisify(execFile);
const ASK_MS = 10_000;

/** What is asked of the system, so that its answers can be tried without it. */
export type Asking = {
  readonly platform: NodeJS.Platform;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly exists: (path: string) => boolean;
  /** Standard output of a program; null: it is not there, failed or hung. */
  readonly ask: (program: string, words: readonly string[]) => Promise<Buffer | null>;
  /** Makers of the GPUs. */
  readonly graphics: () => Promise<readonly string[]>;
};

const PLATFORMS: Readonly<Partial<Record<NodeJS.Platform, MachineFacts['platform']>>> = {
  ...{ linux: 'linux', darwin: 'macos', win32: 'windows' },
};

/** What is here without asking the engine. Never throws: what cannot be learned is unknown. */
export async function machineFacts(asking: Asking = thisSystem): Promise<MachineFacts> {
  const platform = PLATFORMS[asking.platform] ?? 'other';
  const [virtualisation, wsl, gpus] = await Promise.all([
    platform === 'windows' ? ofWindows(asking) : platform === 'macos' ? ofMacos(asking) : ('unneeded' as const),
    platform === 'windows' ? wslOf(asking) : ('unneeded' as const),
    asking.graphics().catch(() => []),
  ]);
  return { platform, installed: installed(asking), virtualisation, wsl, gpus };
}

function installed({ platform, env, exists }: Asking): MachineFacts['installed'] {
  const windows = platform === 'win32';
  const separator = windows ? ';' : delimiter;
  const folders = (env['PATH'] ?? env['Path'] ?? '').split(separator).filter((folder) => folder !== '');
  const has = (name: string): boolean => folders.some((at) => exists(join(at, windows ? `${name}.exe` : name)));
  const desktop = [
    ...(windows ? [`${env['ProgramFiles'] ?? 'C:\\Program Files'}\\Docker\\Docker\\Docker Desktop.exe`] : []),
    ...(platform === 'darwin' ? ['/Applications/Docker.app'] : []),
    ...(platform === 'linux' ? ['/opt/docker-desktop/bin/docker-desktop'] : []),
  ].some(exists);
  return [
    // The command alone may speak to engines elsewhere: on Linux only the daemon is an engine.
    ...(has(platform === 'linux' ? 'dockerd' : 'docker') ? ['docker' as const] : []),
    ...(has('podman') ? ['podman' as const] : []),
    ...(desktop ? ['docker-desktop' as const] : []),
  ];
}

/** A hypervisor that runs is proof; the firmware's switch is told truly only while none does. */
async function ofWindows({ ask }: Asking): Promise<MachineFacts['virtualisation']> {
  const script = `(Get-CimInstance Win32_ComputerSystem).HypervisorPresent; (Get-CimInstance Win32_Processor | Select-Object -First 1).VirtualizationFirmwareEnabled`;
  const answer = await ask('powershell.exe', ['-NoProfile', '-NonInteractive', '-Command', script]);
  const [hypervisor, firmware] = (answer?.toString('utf8') ?? '').trim().split(/\s+/);
  if (hypervisor === 'True' || firmware === 'True') return 'on';
  return hypervisor === 'False' && firmware === 'False' ? 'off' : 'unknown';
}

async function ofMacos({ ask }: Asking): Promise<MachineFacts['virtualisation']> {
  const answer = (await ask('/usr/sbin/sysctl', ['-n', 'kern.hv_support']))?.toString('utf8').trim();
  return answer === '1' ? 'on' : answer === '0' ? 'off' : 'unknown';
}

/** `wsl.exe` writes UTF-16 and, on systems that have only its stub, help instead of an answer. */
async function wslOf({ ask, env, exists }: Asking): Promise<MachineFacts['wsl']> {
  const program = `${env['SystemRoot'] ?? 'C:\\Windows'}\\System32\\wsl.exe`;
  if (!exists(program)) return 'missing';
  const version = await ask(program, ['--version']);
  if (version !== null) {
    const text = version.includes(0) ? version.toString('utf16le') : version.toString('utf8');
    const major = /\b(\d+)\.\d+\.\d+/.exec(text)?.[1];
    return major === undefined ? 'unknown' : Number(major) >= 1 ? 'ready' : 'old';
  }
  // The one that came with Windows itself knows no --version; --status it knows since it has WSL 2.
  return (await ask(program, ['--status'])) === null ? 'missing' : 'old';
}

const thisSystem: Asking = {
  platform: process.platform,
  env: process.env,
  exists: existsSync,
  ask: async (program, words) => {
    try {
      const { stdout } = await run(program, words, { encoding: 'buffer', timeout: ASK_MS, windowsHide: true });
      return stdout;
    } catch {
      return null;
    }
  },
  graphics: async () => {
    const { graphics } = await import('systeminformation');
    const { controllers } = await graphics();
    return controllers.map(({ vendor }) => vendor).filter((vendor) => vendor !== '');
  },
};
