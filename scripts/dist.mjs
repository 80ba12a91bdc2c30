// `npm run dist`: the packages that this system can build, in dist/. `npm run dist -- dir deb` builds some of them.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { catalogueFile, catalogueKeysFile } from './lib/catalogue.mjs';
import { electronDist, electronVersion, isStandIn, reachable } from './lib/electron.mjs';
import { underNewNode } from './lib/node.mjs';
import { cacheDir, root, writeWhole } from './lib/paths.mjs';
import { must, which } from './lib/run.mjs';
import { setUp } from './lib/setup.mjs';
import { command, StepFailure, say, step, warn } from './lib/step.mjs';

/** Where the makers of packages (fpm, AppImage, NSIS) are downloaded from. */
const TOOLS_HOME = 'https://github.com/electron-userland/electron-builder-binaries';

/**
 * The targets of a system, each with what it needs besides electron-builder.
 * @type {Readonly<Record<string, readonly {readonly name: string, readonly program?: string, readonly online?: boolean}[]>>}
 */
const TARGETS = {
  linux: [
    { name: 'dir' },
    { name: 'deb', program: 'dpkg-deb' },
    { name: 'rpm', program: 'rpmbuild' },
    { name: 'AppImage', online: true },
  ],
  darwin: [{ name: 'dir' }, { name: 'dmg', online: true }, { name: 'zip', online: true }],
  win32: [{ name: 'dir' }, { name: 'nsis', online: true }],
};

/** electron-builder's name of each system. @type {Readonly<Record<string, string>>} */
const SYSTEM_FLAG = { linux: '--linux', darwin: '--mac', win32: '--win' };

/**
 * The configuration for packages around the stand-in runtime: a copy of that without its own application, as a package
 * must have it, and without the fuse that is younger than the runtime.
 * @returns {string[]} options for electron-builder
 */
function runtimeOptions() {
  const dist = electronDist();
  if (!dist || !isStandIn()) return [];
  warn('these packages carry the old stand-in Electron: for tests only, never to be published');
  const clean = join(cacheDir, 'electron-for-packages');
  rmSync(clean, { recursive: true, force: true });
  cpSync(dist, clean, { recursive: true, filter: (file) => !file.endsWith('default_app.asar') });
  const config = join(cacheDir, 'electron-builder.yml');
  const text = readFileSync(join(root, 'electron-builder.yml'), 'utf8').replace(
    /^ *grantFileProtocolExtraPrivileges:.*\n/m,
    '',
  );
  writeWhole(config, `${text}electronDist: ${JSON.stringify(clean)}\nelectronVersion: ${electronVersion()}\n`);
  return [`--config=${config}`];
}

/**
 * Puts the catalogue that goes into the package, and the keys that it must be signed with, where the builder takes them from.
 * The project has no release keys yet: unless both are given, the package is one for this machine's own practice network.
 * @param {readonly string[]} words
 */
function packCatalogue(words) {
  /** @param {string} name */
  const given = (name) => {
    const start = `--${name}=`;
    return words.find((word) => word.startsWith(start))?.slice(start.length);
  };
  const [catalogue, keys] = [given('catalogue'), given('catalogue-keys')];
  if ((catalogue === undefined) !== (keys === undefined))
    throw new StepFailure(
      'A catalogue needs its keys, and keys their catalogue.',
      'Give both: --catalogue=FILE --catalogue-keys=FILE.',
    );
  const sources = [catalogue ?? catalogueFile, keys ?? catalogueKeysFile];
  const missing = sources.find((file) => !existsSync(file));
  if (catalogue !== undefined && missing !== undefined)
    throw new StepFailure(`There is no ${missing}.`, 'Name the signed catalogue and the keys of the release.');
  const folder = join(cacheDir, 'packaged');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  if (missing !== undefined) {
    warn('these packages trust no catalogue and can run nothing: npm start would make one for this machine');
    cpSync(join(root, 'resources/catalogue-keys.json'), join(folder, 'catalogue-keys.json'));
    return;
  }
  if (catalogue === undefined)
    warn("these packages trust this machine's practice catalogue alone: for tests only, never to be published");
  for (const [index, name] of ['catalogue.json', 'catalogue-keys.json'].entries())
    cpSync(String(sources[index]), join(folder, name));
}

await command(async () => {
  if (!(await underNewNode(import.meta.url))) return;
  await setUp(['packages', 'electron', 'contracts', 'bundle']);
  const known = TARGETS[process.platform] ?? [];
  const asked = process.argv.slice(2).filter((word) => !word.startsWith('-'));
  const unknown = asked.find((name) => !known.some((target) => target.name === name));
  if (unknown)
    throw new StepFailure(
      `"${unknown}" cannot be built on this system.`,
      `Choose from: ${known.map((target) => target.name).join(', ')}.`,
    );
  packCatalogue(process.argv);
  const online = await reachable(TOOLS_HOME);
  const options = runtimeOptions();
  const env =
    !online && process.platform === 'linux' ? { CUSTOM_FPM_PATH: join(root, 'scripts/packaging/fpm.mjs') } : {};
  const builder = [join(root, 'node_modules/electron-builder/cli.js'), SYSTEM_FLAG[process.platform] ?? ''];
  const todo = 'Read the lines above; npm run dist -- NAME tries one package alone.';
  /** @param {string} name @param {readonly string[]} more */
  const build = (name, more) =>
    step(
      `package ${name}`,
      async () =>
        void (await must(
          `Building ${name}`,
          todo,
          process.execPath,
          [...builder, name, '--publish=never', ...options, ...more],
          { env, timeoutMs: 1_200_000 },
        )),
      'a minute or more',
    );

  const wanted = known.filter((target) => asked.length === 0 || asked.includes(target.name));
  // Unpacked once; each package is then made from that folder.
  await build('dir', []);
  const unpacked = process.platform === 'linux' ? [`--prepackaged=${join(root, 'dist/linux-unpacked')}`] : [];
  for (const { name, program, online: needsDownload } of wanted.filter((target) => target.name !== 'dir')) {
    if (program && !which(program)) say(`· package ${name} left out: ${program} is not installed`);
    else if (needsDownload && !online) say(`· package ${name} left out: its tools cannot be downloaded from here`);
    else await build(name, unpacked);
  }
  const dist = join(root, 'dist');
  for (const file of existsSync(dist) ? readdirSync(dist).sort() : []) {
    const stat = statSync(join(dist, file));
    if (stat.isFile() && /\.(deb|rpm|AppImage|exe|dmg|zip)$/.test(file))
      say(`· dist/${file} ${(stat.size / 1e6).toFixed(1)} MB`);
  }
  return 0;
});
