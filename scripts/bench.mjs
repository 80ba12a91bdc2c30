// `npm run bench -- NAME`: one measurement from test/bench. Without a name it lists them; --json leaves standard output to the result.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { underNewNode } from './lib/node.mjs';
import { root } from './lib/paths.mjs';
import { run } from './lib/run.mjs';
import { setUp } from './lib/setup.mjs';
import { command, reportTo, StepFailure } from './lib/step.mjs';

await command(async () => {
  const args = process.argv.slice(2);
  if (args.includes('--json')) reportTo(process.stderr);
  if (!(await underNewNode(import.meta.url))) return;
  const dir = join(root, 'test/bench');
  const names = existsSync(dir) ? readdirSync(dir).flatMap((file) => /^([a-z0-9-]+)\.ts$/.exec(file)?.[1] ?? []) : [];
  const name = args.find((word) => !word.startsWith('-'));
  const list = names.length > 0 ? `There are: ${names.join(', ')}.` : 'There are none yet: test/bench is empty.';
  if (!name) {
    process.stdout.write(`npm run bench -- NAME [--json]\n${list}\n`);
    return 0;
  }
  if (!names.includes(name)) throw new StepFailure(`There is no measurement called "${name}".`, list);
  await setUp(['packages', 'engine', 'contracts']);
  const rest = args.filter((word) => word !== name);
  const { code } = await run(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(dir, `${name}.ts`), ...rest],
    { show: true },
  );
  return code;
});
