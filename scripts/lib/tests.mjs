import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hasDisplay, onVirtualDisplay } from './display.mjs';
import { cacheDir, root } from './paths.mjs';
import { run } from './run.mjs';

/** @typedef {{readonly passed: number, readonly failed: number}} Tally */

/**
 * Counts a report of Vitest's JSON reporter. A test file that could not even be read counts as one failure; so does a
 * run that left no report.
 * @param {unknown} report
 * @returns {Tally}
 */
export function tally(report) {
  if (typeof report !== 'object' || report === null) return { passed: 0, failed: 1 };
  const { numPassedTests, numFailedTests, testResults } = /** @type {Record<string, unknown>} */ (report);
  const files = Array.isArray(testResults) ? testResults : [];
  const broken = files.filter((file) => file.status === 'failed' && !file.assertionResults?.some(wentWrong)).length;
  return { passed: Number(numPassedTests ?? 0), failed: Number(numFailedTests ?? 0) + broken };
}

/** @param {{readonly status?: unknown}} result */
const wentWrong = (result) => result.status === 'failed';

/**
 * @param {readonly Tally[]} all
 * @returns {Tally}
 */
export function sum(all) {
  return all.reduce((a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed }), { passed: 0, failed: 0 });
}

/**
 * Runs the tests of some projects once and counts them.
 * @param {string} name of the run
 * @param {readonly string[]} projects
 * @param {readonly string[]} patterns
 * @param {{readonly window: boolean}} needs
 * @returns {Promise<Tally>}
 */
export async function runTests(name, projects, patterns, needs) {
  const report = join(cacheDir, `tests-${name}.json`);
  rmSync(report, { force: true });
  const words = [
    process.execPath,
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    ...projects.flatMap((project) => ['--project', project]),
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...(patterns.length > 0 ? ['--passWithNoTests', ...patterns] : []),
  ];
  const virtual = needs.window && process.platform === 'linux' && (!hasDisplay() || Boolean(process.env['CI']));
  const [file = '', args] = virtual ? onVirtualDisplay(words) : [words[0], words.slice(1)];
  const { code } = await run(file, args, { show: true, env: process.stdout.isTTY ? {} : { NO_COLOR: '1' } });
  const counted = tally(
    existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : patterns.length > 0 && code === 0 ? {} : undefined,
  );
  // An error outside any test (a leak after the end, a failed global set-up) fails the run without failing a test.
  return code !== 0 && counted.failed === 0 ? { passed: counted.passed, failed: 1 } : counted;
}
