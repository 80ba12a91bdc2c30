import { join } from 'node:path';
import { fileSecretBox } from '../../agent/adapters/file-secret-box.ts';
import { fileLog } from '../../agent/adapters/log.ts';
import { openNodeAgent } from '../../agent/node.ts';
import { QUIET } from './quiet.ts';

/** An agent in a process of its own, to be killed. Arguments: data folder, catalogue, coordinator, release keys. */
const [dataDir = '', catalogueFile = '', coordinatorUrl = '', catalogueKeysFile = ''] = process.argv.slice(2);

const { agent } = await openNodeAgent({
  ...{ version: '0.0.0', dataDir, catalogueFile, catalogueKeysFile, initial: { coordinatorUrl, rules: QUIET } },
  seccompFile: join(import.meta.dirname, '../../resources/seccomp.json'),
  secretBox: fileSecretBox(join(dataDir, 'secret.key')),
  idleMs: async () => 3_600_000,
  log: fileLog(join(dataDir, 'logs')),
});
await agent.start();
agent.onSnapshot(({ running, coordinator }) => {
  process.stdout.write(
    `${JSON.stringify({ coordinator: coordinator.kind, running: running.map((job) => job.phase) })}\n`,
  );
});
