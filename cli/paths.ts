import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

export const resourcePath = (...parts: readonly string[]): string => join(ROOT, 'resources', ...parts);
/** Written by set-up: the manifests bound to the images built on this machine, signed with keys of this machine. */
export const practiceCataloguePath = (): string => join(ROOT, '.cache', 'catalogue.json');
export const practiceKeysPath = (): string => join(ROOT, '.cache', 'catalogue-keys.json');
export const transcodeImage = 'idlemesh/transcode:0.2.0';

/** Where the product keeps its data on this system when nothing else is said. */
export function defaultDataDir(kind: 'agent' | 'coordinator' | 'practice' | 'stored'): string {
  const home = homedir();
  const base =
    process.platform === 'win32'
      ? join(process.env['APPDATA'] ?? join(home, 'AppData', 'Roaming'), 'Idlemesh')
      : process.platform === 'darwin'
        ? join(home, 'Library', 'Application Support', 'Idlemesh')
        : join(process.env['XDG_DATA_HOME'] ?? join(home, '.local', 'share'), 'idlemesh');
  return join(base, kind);
}
