import { join } from 'node:path';
import { fileSecretBox } from '../agent/adapters/file-secret-box.ts';
import type { OpenedAgent } from '../agent/api.ts';
import { openNodeAgent } from '../agent/node.ts';
import type { Known } from '../core/primitives.ts';
import type { Rules } from '../core/settings.ts';
import type { Logger } from './log.ts';
import { resourcePath } from './paths.ts';
import { version } from './version.ts';

export type HeadlessOptions = {
  readonly dataDir: string;
  readonly catalogueFile: string;
  readonly catalogueKeysFile: string;
  readonly coordinatorUrl?: string;
  readonly mode?: 'now' | 'when-idle';
  readonly rules?: Partial<Rules>;
  readonly idleMs?: () => Promise<Known<number>>;
  readonly log: Logger;
};

/** On other systems than Linux nobody tells a program without a window when the machine was last used. */
const idleTime = ({ idleMs }: HeadlessOptions): { readonly idleMs?: () => Promise<Known<number>> } =>
  idleMs !== undefined ? { idleMs } : process.platform === 'linux' ? {} : { idleMs: async () => 'unknown' };

/** The provider without Electron: idle time from desktop and terminals, secrets under file permissions. */
export function openHeadlessAgent(options: HeadlessOptions): Promise<OpenedAgent> {
  const { coordinatorUrl, mode, rules } = options;
  return openNodeAgent({
    version,
    dataDir: options.dataDir,
    catalogueFile: options.catalogueFile,
    catalogueKeysFile: options.catalogueKeysFile,
    seccompFile: resourcePath('seccomp.json'),
    secretBox: fileSecretBox(join(options.dataDir, 'vault.key')),
    ...idleTime(options),
    log: options.log,
    initial: {
      ...(coordinatorUrl === undefined ? {} : { coordinatorUrl }),
      ...(mode === undefined ? {} : { mode }),
      ...(rules === undefined ? {} : { rules }),
    },
  });
}
