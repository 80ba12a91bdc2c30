// `npm test`: everything that is missing, the checks, then all tests. The last line says how many passed and failed.
// `npm test -- PATTERN`: only the test files whose path contains it, and no checks.
import { runChecks } from './lib/checks.mjs';
import { underNewNode } from './lib/node.mjs';
import { setUp } from './lib/setup.mjs';
import { command, StepFailure, say, seconds } from './lib/step.mjs';
import { runTests, sum } from './lib/tests.mjs';

await command(async () => {
  if (!(await underNewNode(import.meta.url))) return;
  const patterns = process.argv.slice(2).filter((word) => !word.startsWith('-'));
  const start = performance.now();
  try {
    await setUp(['packages', 'electron', 'engine', 'contracts', 'bundle', 'display']);
  } catch (error) {
    if (!(error instanceof StepFailure)) throw error;
    process.stderr.write(`\n${error.message}\n→ ${error.todo}\n`);
    return end({ passed: 0, failed: 1 });
  }
  const failedChecks = patterns.length > 0 ? [] : await runChecks();
  const tallies = [
    { passed: 0, failed: failedChecks.length },
    await runTests('quick', ['unit', 'integration', 'coordinator', 'postgres'], patterns, { window: false }),
    await runTests('window', ['e2e'], patterns, { window: true }),
  ];
  if (failedChecks.length > 0) say(`✗ failed checks: ${failedChecks.join(', ')}`);
  say(`· all of it took ${seconds(performance.now() - start)}`);
  return end(sum(tallies));
});

/**
 * @param {import('./lib/tests.mjs').Tally} total
 * @returns {number} the exit status
 */
function end({ passed, failed }) {
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  return failed > 0 || passed === 0 ? 1 : 0;
}
