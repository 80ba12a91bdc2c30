// `npm run e2e`: the tests of the real window. `npm run e2e -- PATTERN` runs some of them.
import { underNewNode } from './lib/node.mjs';
import { setUp } from './lib/setup.mjs';
import { command } from './lib/step.mjs';
import { runTests } from './lib/tests.mjs';

await command(async () => {
  if (!(await underNewNode(import.meta.url))) return;
  await setUp(['packages', 'electron', 'engine', 'contracts', 'bundle', 'display']);
  const { passed, failed } = await runTests('window', ['e2e'], process.argv.slice(2), { window: true });
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  return failed > 0 || passed === 0 ? 1 : 0;
});
