import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, root, writeWhole } from './paths.mjs';
import { must } from './run.mjs';
import { upToDate } from './step.mjs';

/** The practice network's catalogue: every workload of this checkout bound to the image built from it, and signed. */
export const catalogueFile = join(cacheDir, 'catalogue.json');

/** The public keys that must have signed it. Their private parts lie in `.cache/keys`, made on this machine for it alone. */
export const catalogueKeysFile = join(cacheDir, 'catalogue-keys.json');

/** What a catalogue calls the machine of an engine on this processor. */
export const enginePlatform = () => (process.arch === 'arm64' ? 'linux/arm64' : 'linux/amd64');

/**
 * Signs the practice catalogue, unless the one that is there holds the same and lasts.
 * @param {readonly unknown[]} entries
 * @returns {Promise<undefined | typeof upToDate>}
 */
export async function signCatalogue(entries) {
  const minimums = JSON.parse(readFileSync(join(root, 'resources', 'minimums.json'), 'utf8'));
  const content = join(cacheDir, 'catalogue-content.json');
  writeWhole(content, JSON.stringify({ minimums, entries }));
  const tool = ['--disable-warning=ExperimentalWarning', join(root, 'cli/catalogue-tool.ts'), 'practice'];
  const said = await must(
    'Signing the practice catalogue',
    'Delete .cache/keys and .cache/catalogue.json, and run the command again.',
    process.execPath,
    [...tool, '--content', content, '--folder', cacheDir],
  );
  return said.trim() === 'kept' ? upToDate : undefined;
}
