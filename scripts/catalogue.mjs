// `npm run catalogue -- COMMAND`: makes, signs and checks catalogues (docs/releasing-the-catalogue.md).
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { underNewNode } from './lib/node.mjs';
import { root } from './lib/paths.mjs';
import { setUp } from './lib/setup.mjs';
import { command, reportTo } from './lib/step.mjs';

await command(async () => {
  reportTo(process.stderr);
  if (!(await underNewNode(import.meta.url))) return;
  await setUp(['packages']);
  const words = [
    '--disable-warning=ExperimentalWarning',
    join(root, 'cli/catalogue-tool.ts'),
    ...process.argv.slice(2),
  ];
  return spawnSync(process.execPath, words, { stdio: 'inherit' }).status ?? 1;
});
