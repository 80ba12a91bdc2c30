// `npm run build`: contracts and the app's bundles, for those who want them without starting anything.
import { underNewNode } from './lib/node.mjs';
import { setUp } from './lib/setup.mjs';
import { command } from './lib/step.mjs';

await command(async () => {
  if (await underNewNode(import.meta.url)) await setUp(['packages', 'contracts', 'bundle']);
});
