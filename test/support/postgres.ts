import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { postgresPrograms } from '../../scripts/lib/postgres.mjs';
import { until } from './wait.ts';

const run = promisify(execFile);
/** `nobody`: the server refuses to run as root. */
const UNPRIVILEGED = 65_534;

/** A real PostgreSQL of our own, with fsync, behind a socket in a folder that only we can reach. */
export type Cluster = {
  /** The address of its first database. */
  readonly url: string;
  readonly start: () => Promise<void>;
  /** As if the power went: clients are cut off, and it recovers from its log at the next start. */
  readonly crash: () => Promise<void>;
  /** Stops it and removes everything. */
  readonly stop: () => Promise<void>;
};

const addressIn = (folder: string, name: string): string =>
  `postgres:///${name}?host=${encodeURIComponent(folder)}&user=idlemesh`;

export async function startCluster(): Promise<Cluster> {
  const programs = postgresPrograms();
  if (programs === null) throw new Error('PostgreSQL is not installed: run npm test, which installs it');
  const folder = await mkdtemp(join(tmpdir(), 'idlemesh-pg-'));
  const asRoot = process.getuid?.() === 0;
  const user = asRoot ? { uid: UNPRIVILEGED, gid: UNPRIVILEGED } : {};
  if (asRoot) await chown(folder, UNPRIVILEGED, UNPRIVILEGED);
  await chmod(folder, 0o700);
  const data = join(folder, 'data');
  // Nobody but us passes the folder, so a password would protect nothing.
  const made = ['-D', data, '-U', 'idlemesh', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
  await run(join(programs, 'initdb'), made, { ...user, cwd: folder });

  let server: ChildProcess | null = null;
  const cluster: Cluster = {
    url: addressIn(folder, 'postgres'),
    async start() {
      const args = ['-D', data, '-k', folder, '-c', 'listen_addresses=', '-c', 'max_connections=200'];
      const started = spawn(join(programs, 'postgres'), args, { ...user, cwd: folder, stdio: 'ignore' });
      server = started;
      await until('PostgreSQL to answer', async () => {
        if (started.exitCode !== null) throw new Error(`postgres ended with ${started.exitCode}`);
        return await answers(cluster.url);
      });
    },
    crash: () => end('SIGQUIT'),
    async stop() {
      await end('SIGINT');
      await rm(folder, { recursive: true, force: true });
    },
  };
  async function end(signal: NodeJS.Signals): Promise<void> {
    if (server === null) return;
    const exited = once(server, 'exit');
    server.kill(signal);
    await exited;
    server = null;
  }
  try {
    await cluster.start();
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

async function answers(url: string): Promise<boolean> {
  return await asking(url, async () => true).catch(() => false);
}

async function asking<T>(url: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** An empty database of its own; `clusterUrl` is any address of the cluster. */
export async function freshDatabase(
  clusterUrl: string,
): Promise<{ readonly url: string; readonly drop: () => Promise<void> }> {
  const name = `t${randomBytes(8).toString('hex')}`;
  await asking(clusterUrl, (client) => client.query(`CREATE DATABASE ${name}`));
  const url = new URL(clusterUrl);
  url.pathname = `/${name}`;
  return {
    url: url.toString(),
    drop: async () => {
      await asking(clusterUrl, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
    },
  };
}

/** Keeps a database as it is now; what it answers brings it back to that. Nobody may be connected at either time. */
export async function keepDatabase(url: string): Promise<() => Promise<void>> {
  const name = new URL(url).pathname.slice(1);
  const other = new URL(url);
  other.pathname = '/postgres';
  const copy = (from: string, to: string) =>
    asking(other.toString(), (client) => client.query(`CREATE DATABASE ${to} TEMPLATE ${from}`));
  const drop = (gone: string) => asking(other.toString(), (client) => client.query(`DROP DATABASE ${gone}`));
  await copy(name, `${name}_kept`);
  return async () => {
    await drop(name);
    await copy(`${name}_kept`, name);
    await drop(`${name}_kept`);
  };
}

/** Cuts every connection to a database, as a network would. */
export async function cutConnections(url: string): Promise<void> {
  await asking(url, (client) =>
    client.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    ),
  );
}
