import { join } from 'node:path';
import { systemClock } from '../agent/adapters/clock.ts';
import { fileSecretBox } from '../agent/adapters/file-secret-box.ts';
import { openNodeAgent } from '../agent/node.ts';
import { runShell } from './shell.ts';

runShell({
  clock: systemClock,
  openAgent: openNodeAgent,
  fileBox: (dataDir) => fileSecretBox(join(dataDir, 'vault.key')),
});
