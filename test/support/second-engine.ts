import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { answeringEngine, callEngine } from '../../scripts/lib/engine.mjs';
import { until } from './wait.ts';

const run = promisify(execFile);

/**
 * A Docker engine of the test’s own, beside the machine’s: other folders, another socket, and namespaces of its own, so that it
 * cannot touch the first one’s bridge, and leaves no mounts behind. With gVisor among its runtimes. Root only, as engines are.
 */
export class SecondEngine {
  readonly #folder = mkdtempSync(join(tmpdir(), 'idlemesh-engine-'));
  readonly socketPath = join(this.#folder, 'docker.sock');
  readonly #programs: string | null;
  readonly #features: Readonly<Record<string, boolean>>;
  #child: ChildProcess | null = null;

  /** `programs`: folder of other ones than the machine's. */
  constructor({
    programs = null,
    features = {},
  }: { programs?: string | null; features?: Record<string, boolean> } = {}) {
    this.#programs = programs;
    this.#features = features;
  }

  async start(): Promise<void> {
    const at = (name: string): string => join(this.#folder, name);
    const runsc = { path: '/usr/bin/runsc', runtimeArgs: ['--platform=ptrace', '--network=none'] };
    writeFileSync(at('daemon.json'), JSON.stringify({ runtimes: { runsc }, features: this.#features }));
    rmSync(at('docker.pid'), { force: true });
    const log = openSync(at('log'), 'a');
    const words = [
      ...[
        '--net',
        '--mount',
        '--propagation',
        'private',
        // A network of its own has no loopback that works, and a registry is to be reached there.
        ...['sh', '-c', 'ip link set lo up; exec dockerd "$@"', 'dockerd'],
        '--config-file',
        at('daemon.json'),
        '--data-root',
        at('data'),
        '--exec-root',
        at('exec'),
      ],
      ...['--host', `unix://${this.socketPath}`, '--pidfile', at('docker.pid'), '--iptables=false'],
    ];
    const path = [this.#programs, process.env['PATH']].filter((part) => part !== null).join(delimiter);
    this.#child = spawn('unshare', words, { stdio: ['ignore', log, log], env: { ...process.env, PATH: path } });
    await until('the second engine answers', () => this.#answers(), 180_000).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${readFileSync(at('log'), 'utf8').slice(-2000)}`);
    });
  }

  async #answers(): Promise<boolean> {
    if (!existsSync(this.socketPath)) return false;
    const place = { url: `unix://${this.socketPath}`, socketPath: this.socketPath };
    return callEngine(place, 'GET', '/_ping', { timeoutMs: 2_000 }).then(
      ({ status }) => status === 200,
      () => false,
    );
  }

  /** Copies images from the machine's own engine. */
  async take(...images: readonly string[]): Promise<void> {
    const place = await answeringEngine();
    if (place === undefined) throw new Error('no engine answers');
    const file = join(this.#folder, 'images.tar');
    await run('docker', ['-H', place.url, 'save', '-o', file, ...images]);
    await run('docker', ['-H', `unix://${this.socketPath}`, 'load', '-i', file]);
    rmSync(file);
  }

  /** The words before a command that make it run where this engine has its network. */
  get beside(): readonly string[] {
    return ['nsenter', '--target', String(this.#child?.pid), '--net'];
  }

  /** As the machine's power does: nothing is put in order. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  async close(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child !== null && child.exitCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
