import { join } from 'node:path';
import { root } from './paths.mjs';
import { run } from './run.mjs';
import { say, seconds } from './step.mjs';

/**
 * What `npm run check` runs, in the order of how often it finds something.
 * @type {readonly {readonly name: string, readonly script: string, readonly args: readonly string[], readonly todo: string}[]}
 */
const CHECKS = [
  { name: 'types', script: 'typescript/bin/tsc', args: ['-b', '--pretty'], todo: 'correct the types named above' },
  {
    name: 'rules and format',
    script: '@biomejs/biome/bin/biome',
    args: ['ci', '--colors=off', '.'],
    todo: 'npx biome check --write . corrects most of it; an import rule names what to use instead',
  },
  {
    name: 'dead code',
    script: 'knip/bin/knip.js',
    args: ['--no-progress'],
    todo: 'remove what nobody uses, or use it',
  },
  {
    name: 'duplicates',
    script: 'jscpd/bin/jscpd',
    args: ['.'],
    todo: 'give what is written twice one home and a name',
  },
];

/**
 * Runs every check, also after one failed, and shows the findings of those that did.
 * @returns {Promise<readonly string[]>} the names of those that failed
 */
export async function runChecks() {
  /** @type {string[]} */
  const failed = [];
  for (const { name, script, args, todo } of CHECKS) {
    const start = performance.now();
    const { code, out, err } = await run(process.execPath, [join(root, 'node_modules', script), ...args], {
      timeoutMs: 300_000,
    });
    const took = seconds(performance.now() - start);
    if (code === 0) {
      say(`✓ check: ${name} ${took}`);
    } else {
      failed.push(name);
      say(`${`${out}\n${err}`.trim()}\n✗ check: ${name} ${took}\n→ ${todo}`);
    }
  }
  return failed;
}
