import { packages } from './deps.mjs';
import { testTools } from './display.mjs';
import { electron } from './electron.mjs';
import { engine } from './engine.mjs';
import { images } from './images.mjs';
import { newerEngineStep } from './newer-engine.mjs';
import { bundle, contracts } from './products.mjs';
import { registry } from './registry.mjs';
import { StepFailure, step, upToDate } from './step.mjs';

/** @typedef {'packages' | 'electron' | 'engine' | 'contracts' | 'bundle' | 'display'} Part */

/**
 * Serialises what may run apt: two set-up steps at once must not both ask the user, nor meet in its lock.
 * @template T
 * @param {readonly (() => Promise<T>)[]} jobs
 */
async function inTurn(jobs) {
  for (const job of jobs) await job();
}

/**
 * Brings every named part to where it must be. What is independent runs side by side; the first failure in the order of
 * the parts is thrown after all have come to their end, so that no step is cut off in the middle.
 * @param {readonly Part[]} parts
 */
export async function setUp(parts) {
  const want = new Set(parts);
  if (want.has('packages')) await step('packages', packages, 'about a minute the first time');
  const system = async () => {
    await inTurn([
      async () => {
        if (want.has('engine')) await images(await engineStep());
      },
      async () => {
        if (want.has('electron')) await step('Electron', electron, 'a download of about 110 MB');
      },
      async () => {
        if (want.has('display'))
          await step('tools for the tests', async () => (await testTools()) || upToDate, 'installing packages');
      },
      async () => {
        if (want.has('display')) await step('image registry of the tests', registry);
      },
      async () => {
        if (want.has('display')) await step('newer Docker engine of the tests', newerEngineStep);
      },
    ]);
  };
  const products = async () => {
    if (want.has('contracts')) await step('contracts', contracts);
    if (want.has('bundle')) await step('app bundle', bundle);
  };
  const results = await Promise.allSettled([system(), products()]);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** @returns {Promise<import('./engine.mjs').Place>} */
async function engineStep() {
  /** @type {import('./engine.mjs').Place | undefined} */
  let place;
  await step(
    'Docker engine',
    async () => {
      const found = await engine();
      place = found.place;
      return found.remark;
    },
    'bringing one up',
  );
  if (!place) throw new StepFailure('There is no Docker engine.', 'Run the command again.');
  return place;
}
