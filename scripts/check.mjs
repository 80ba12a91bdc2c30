// `npm run check`: types, rules and format, dead code, duplicates.
import { runChecks } from './lib/checks.mjs';
import { underNewNode } from './lib/node.mjs';
import { setUp } from './lib/setup.mjs';
import { command } from './lib/step.mjs';

await command(async () => {
  if (!(await underNewNode(import.meta.url))) return;
  await setUp(['packages', 'contracts']);
  return (await runChecks()).length > 0 ? 1 : 0;
});
