import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { debianMirror } from './base-image.mjs';
import { cacheDir } from './paths.mjs';
import { must, run } from './run.mjs';
import { StepFailure, upToDate } from './step.mjs';
import { thisFamily } from './system.mjs';

/** From this version on an engine can hold images in containerd's store. */
const MAJOR = 25;
/** Its programs run on this release's predecessor too, runc's excepted. */
const SUITE = 'trixie';
const PACKAGES = ['docker.io', 'containerd'];
const PROGRAMS = /** @type {const} */ (['dockerd', 'docker-proxy', 'containerd', 'containerd-shim-runc-v2']);
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const folder = join(cacheDir, 'newer-engine');
const programs = join(folder, 'bin');

async function installedIsNew() {
  const { out } = await run('dockerd', ['--version']);
  return Number(/version (\d+)\./.exec(out)?.[1] ?? 0) >= MAJOR;
}

/**
 * The programs of an engine that is newer than many machines' own: taken out of their packages, installed nowhere, so that the
 * machine keeps its own.
 * @returns {Promise<string | null>} their folder; null: those in PATH are
 */
export async function newerEngine() {
  if (existsSync(programs)) return programs;
  if (await installedIsNew()) return null;
  const mirror = thisFamily() === 'debian' ? await debianMirror() : undefined;
  if (mirror === undefined || !existsSync(KEYRING))
    throw new StepFailure(
      `The tests need a Docker engine of version ${MAJOR} or newer.`,
      'Install one: docs.docker.com',
    );
  rmSync(folder, { recursive: true, force: true });
  for (const part of ['lists/partial', 'archives/partial', 'root', 'some']) {
    mkdirSync(join(folder, part), { recursive: true });
  }
  const sources = join(folder, 'debian.sources');
  writeFileSync(sources, `Types: deb\nURIs: ${mirror}\nSuites: ${SUITE}\nComponents: main\nSigned-By: ${KEYRING}\n`);
  const apart = [
    ...[`Dir::Etc::sourcelist=${sources}`, 'Dir::Etc::sourceparts=-', `Dir::State::lists=${join(folder, 'lists')}`],
    ...[`Dir::Cache=${folder}`, 'Acquire::Retries=3', 'APT::Sandbox::User=root'],
  ].flatMap((option) => ['-o', option]);
  /** @param {readonly string[]} words */
  const apt = (words) =>
    must(`apt-get ${words[0]}`, `apt-get ${words.join(' ')}`, 'apt-get', [...apart, ...words], {
      cwd: folder,
      timeoutMs: 300_000,
    });
  await apt(['update']);
  await apt(['download', ...PACKAGES]);
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.deb'))) {
    await must('dpkg-deb', `dpkg-deb -x ${file}`, 'dpkg-deb', ['-x', join(folder, file), join(folder, 'root')]);
  }
  for (const program of PROGRAMS) {
    const found = ['usr/bin', 'usr/sbin'].map((part) => join(folder, 'root', part, program)).find(existsSync);
    if (found === undefined) throw new StepFailure(`Debian's packages hold no ${program}.`, `Look into ${folder}.`);
    renameSync(found, join(folder, 'some', program));
  }
  for (const name of readdirSync(folder).filter((part) => part !== 'some')) {
    rmSync(join(folder, name), { recursive: true, force: true });
  }
  renameSync(join(folder, 'some'), programs);
  return programs;
}

/** As a step of set-up. */
export async function newerEngineStep() {
  if (existsSync(programs) || (await installedIsNew())) return upToDate;
  return (await newerEngine()) ?? upToDate;
}
