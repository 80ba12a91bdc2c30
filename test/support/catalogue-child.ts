import { join } from 'node:path';
import { catalogueFiles } from '../../agent/adapters/catalogue-files.ts';

/** Keeps ever higher versions, each with its envelope, and says each number once it is kept; to be killed. Argument: a folder. */
const [folder = ''] = process.argv.slice(2);
const shelf = await catalogueFiles({
  ...{ folder, catalogueFile: join(folder, 'none'), keysFile: join(folder, 'none'), log: () => undefined },
});
for (let version = 1; ; version++) {
  const envelope = `${version} `.repeat(20_000);
  await shelf.keep({ version, digest: `0x${version.toString(16).padStart(64, '0')}`, keys: ['a', 'b'], envelope });
  process.stdout.write(`${version}\n`);
}
