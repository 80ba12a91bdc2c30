import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprint, note, root, setNote } from './paths.mjs';
import { must } from './run.mjs';
import { upToDate } from './step.mjs';

/**
 * Makes something again only when what it is made from has changed.
 * @param {string} name of the note
 * @param {readonly string[]} sources
 * @param {() => boolean} present
 * @param {() => Promise<unknown>} make
 * @returns {Promise<string | typeof upToDate>}
 */
async function whenChanged(name, sources, present, make) {
  const now = fingerprint(sources);
  if (note(name) === now && present()) return upToDate;
  await make();
  setNote(name, now);
  return '';
}

/** @returns {Promise<string | typeof upToDate>} */
export function contracts() {
  const out = join(root, 'contracts/out');
  const present = () => existsSync(out) && readdirSync(out).some((file) => file.endsWith('.json'));
  const todo = 'Read the compiler message above. On a fresh clone, delete node_modules and run the command again.';
  return whenChanged('contracts.hash', ['contracts', 'package-lock.json'], present, () =>
    must('Compiling the contracts', todo, process.execPath, [join(root, 'contracts/compile.ts')], {
      timeoutMs: 180_000,
    }),
  );
}

const BUNDLE_SOURCES = [
  'core',
  'agent',
  'main',
  'preload',
  'renderer',
  'resources',
  'contracts',
  'electron.vite.config.ts',
  'tsconfig.base.json',
  'package.json',
  'package-lock.json',
];

/**
 * The app's three bundles in `out/`.
 * @returns {Promise<string | typeof upToDate>}
 */
export function bundle() {
  const present = () =>
    ['out/main/index.cjs', 'out/preload/index.cjs', 'out/renderer/index.html'].every((file) =>
      existsSync(join(root, file)),
    );
  const todo = 'Read the message above: most often a source file does not compile (npm run check says where).';
  return whenChanged('bundle.hash', BUNDLE_SOURCES, present, () =>
    must(
      'Building the app',
      todo,
      process.execPath,
      [join(root, 'node_modules/electron-vite/bin/electron-vite.js'), 'build'],
      { timeoutMs: 300_000 },
    ),
  );
}
