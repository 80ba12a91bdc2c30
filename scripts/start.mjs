// `npm start`: everything that is missing, then a practice network on loopback and the app on it.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { appOutput, startApp, startTerminalAgent } from './lib/app.mjs';
import { hasDisplay } from './lib/display.mjs';
import { underNewNode } from './lib/node.mjs';
import { practiceDataDir } from './lib/paths.mjs';
import { practiceNetwork } from './lib/practice.mjs';
import { lastLines } from './lib/run.mjs';
import { setUp } from './lib/setup.mjs';
import { command, say, step, warn } from './lib/step.mjs';

await command(async () => {
  if (!(await underNewNode(import.meta.url))) return;
  const { values } = parseArgs({
    options: { data: { type: 'string' }, 'no-window': { type: 'boolean', default: false } },
  });
  const dataDir = values.data ? resolve(values.data) : practiceDataDir();
  const window = hasDisplay() && !values['no-window'];
  await setUp(window ? ['packages', 'electron', 'engine', 'contracts', 'bundle'] : ['packages', 'engine', 'contracts']);

  /** @type {import('./lib/practice.mjs').Network | undefined} */
  let network;
  await step('practice network', async () => {
    network = await practiceNetwork(dataDir);
    return network.ours ? network.url : `the one already running at ${network.url}`;
  });
  if (!network) return 1;
  if (!window && !values['no-window'])
    say('· there is no display here, so the agent runs in this terminal (Ctrl-C ends it)');
  const app = window
    ? startApp(join(dataDir, 'app'), network.url)
    : startTerminalAgent(join(dataDir, 'agent'), network.url);
  if (window) say('✓ the app is starting: look for its window and its icon in the tray (Ctrl-C here quits it)');
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, app.quit);

  let leaving = false;
  void network.ended.then((code) => {
    if (leaving) return;
    warn(`the practice network ended by itself (exit status ${code}); its log: ${join(dataDir, 'practice.log')}`);
  });
  const code = await app.ended;
  leaving = true;
  await network.stop();
  if (window && code !== 0) {
    const log = appOutput(join(dataDir, 'app'));
    warn(
      `the app ended with exit status ${code}\n${lastLines(readFileSync(log, 'utf8').trimEnd(), 12)}\n(whole output: ${log})`,
    );
  }
  return code;
});
