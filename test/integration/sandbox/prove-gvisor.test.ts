import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ProofStage, proofStage, said } from '../../support/proof-stage.ts';
import { SecondEngine } from '../../support/second-engine.ts';
import { doorImage } from '../../support/transcode.ts';

/** The same attempts on a kernel of its own. What that kernel grants by itself does not count (core/proof.ts). */
const engine = new SecondEngine();
let stage: ProofStage;
beforeAll(async () => {
  // Builds the image on the machine's own engine.
  const first = await proofStage();
  await first.close();
  await engine.start();
  await engine.take(first.tag, await doorImage());
  stage = await proofStage({ socketPath: engine.socketPath, runtime: 'runsc' });
}, 300_000);
afterAll(async () => {
  await stage?.close();
  await engine.close();
}, 60_000);

test('nothing gets out of gVisor', async () => {
  const proof = await stage.prove();
  expect(said(proof.results.filter(({ outcome }) => outcome === 'escaped'))).toEqual([]);
  expect(proof.missing).toEqual([]);
  expect(proof.tried).toBeGreaterThan(80);
}, 180_000);
