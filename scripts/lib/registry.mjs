import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir } from './paths.mjs';
import { must, which } from './run.mjs';
import { StepFailure, upToDate } from './step.mjs';
import { isRoot, refreshLists, rootPrefix, thisFamily } from './system.mjs';

const PACKAGE = 'docker-registry';
const folder = join(cacheDir, 'registry');
const program = join(folder, 'usr', 'bin', PACKAGE);

/** @returns {string | undefined} */
const present = () => which(PACKAGE) ?? (existsSync(program) ? program : undefined);

/**
 * The image registry that the tests serve images from, on loopback. The program is only taken out of its Debian package: an
 * installed one starts by itself and listens to the whole network.
 * @returns {Promise<string>} its path
 */
export async function registryProgram() {
  const there = present();
  if (there !== undefined) return there;
  if (thisFamily() !== 'debian')
    throw new StepFailure(`The tests need what Debian calls ${PACKAGE}.`, 'Install it and put it into PATH.');
  const prefix = isRoot() ? [] : await rootPrefix('Reading the package lists needs root.');
  await refreshLists(prefix);
  mkdirSync(folder, { recursive: true });
  const todo = `apt-get download ${PACKAGE}`;
  await must(`apt-get download ${PACKAGE}`, todo, 'apt-get', ['download', PACKAGE], {
    cwd: folder,
    timeoutMs: 300_000,
  });
  const file = readdirSync(folder).find((name) => name.startsWith(`${PACKAGE}_`) && name.endsWith('.deb'));
  if (file === undefined) throw new StepFailure(`apt-get downloaded no ${PACKAGE}.`, todo);
  await must('dpkg-deb', `dpkg-deb -x ${join(folder, file)} ${folder}`, 'dpkg-deb', ['-x', join(folder, file), folder]);
  rmSync(join(folder, file));
  return program;
}

/** As a step of set-up. */
export async function registry() {
  if (present() !== undefined) return upToDate;
  return registryProgram();
}
