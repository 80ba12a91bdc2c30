import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { must, which } from './run.mjs';
import { ensurePackages, rootPrefix } from './system.mjs';

const DEBIAN = '/usr/lib/postgresql';

/**
 * The folder with `initdb` and `postgres`, of the newest version here; Debian keeps them out of PATH. null: not installed.
 * @returns {string | null}
 */
export function postgresPrograms() {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const folder = versions.map((version) => join(DEBIAN, version, 'bin')).find((bin) => existsSync(join(bin, 'initdb')));
  const inPath = which('initdb');
  return folder ?? (inPath ? dirname(inPath) : null);
}

/** Debian's own switch for what the server's package does when it is installed. */
const SWITCHES = '/etc/postgresql-common/createcluster.conf';
const SWITCH = 'create_main_cluster';
const PURPOSE = 'Testing the coordinator on PostgreSQL';
const ELSEWHERE = 'Install PostgreSQL so that initdb and postgres are in PATH; it need not run.';

/**
 * Installs PostgreSQL's programs where there are none. The tests run a server of their own: none is made or started here.
 * @returns {Promise<string>} what was installed
 */
export async function postgres() {
  if (postgresPrograms()) return '';
  const common = await ensurePackages(['postgresql-common'], PURPOSE, ELSEWHERE);
  const prefix = await rootPrefix(`${PURPOSE} needs postgresql, without a cluster. Install with apt-get?`);
  const [file = 'pg_conftool', ...before] = [...(prefix ?? []), 'pg_conftool'];
  /** @param {readonly string[]} words */
  const set = (words) => must('pg_conftool', ELSEWHERE, file, [...before, ...words]);
  await set([SWITCHES, 'set', SWITCH, 'off']);
  try {
    return [...common, ...(await ensurePackages(['postgresql'], PURPOSE, ELSEWHERE))].join(', ');
  } finally {
    await set([SWITCHES, 'remove', SWITCH]);
  }
}
