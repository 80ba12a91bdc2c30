// `npm run demo`: the whole loop without a window, then exit. With --json, standard output ends with one JSON object.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { underNewNode } from './lib/node.mjs';
import { root } from './lib/paths.mjs';
import { setUp } from './lib/setup.mjs';
import { command, reportTo } from './lib/step.mjs';

await command(async () => {
  const args = process.argv.slice(2);
  if (args.includes('--json')) reportTo(process.stderr);
  if (!(await underNewNode(import.meta.url))) return;
  await setUp(['packages', 'engine', 'contracts']);
  const entry = join(root, 'cli/index.ts');
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', entry, 'demo', ...args], {
    cwd: root,
    stdio: 'inherit',
  });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
    process.on(signal, () => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
});
