import { existsSync } from 'node:fs';
import { catalogueFile } from '../../scripts/lib/catalogue.mjs';
import { answeringEngine } from '../../scripts/lib/engine.mjs';

/** These tests drive a real engine with real images and never bring one up themselves: that is set-up's work. */
export async function setup(): Promise<void> {
  if (!(await answeringEngine())) throw new Error('no Docker engine answers: run npm test, which brings one up');
  if (!existsSync(catalogueFile)) throw new Error('the workload images are not built: run npm test, which builds them');
}
