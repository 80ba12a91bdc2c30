import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { practiceNetwork } from '../../../scripts/lib/practice.mjs';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'practice-test-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const answers = (url: string): Promise<boolean> =>
  fetch(url).then(
    () => true,
    () => false,
  );

test('a practice network starts, is found instead of started twice, and ends with who started it', async () => {
  const first = await practiceNetwork(dir);
  try {
    expect(first.ours).toBe(true);
    expect(await answers(first.url)).toBe(true);

    const second = await practiceNetwork(dir);
    expect(second).toMatchObject({ ours: false, url: first.url });
    await second.stop();
    expect(await answers(first.url)).toBe(true);
  } finally {
    await first.stop();
  }
  expect(await answers(first.url)).toBe(false);
  expect(await first.ended).toBe(0);
  expect(existsSync(join(dir, 'running.json'))).toBe(false);
});

test('the note of one that was killed is not believed', async () => {
  writeFileSync(
    join(dir, 'running.json'),
    JSON.stringify({ pid: process.pid, starter: process.pid, coordinatorUrl: 'http://127.0.0.1:9' }),
  );
  const network = await practiceNetwork(dir);
  expect(network.ours).toBe(true);
  await network.stop();
});

test('one whose starter was killed is ended and replaced', async () => {
  const orphan = await practiceNetwork(dir);
  const note = JSON.parse(readFileSync(join(dir, 'running.json'), 'utf8'));
  // No process has this number: it is above the highest that Linux gives.
  writeFileSync(join(dir, 'running.json'), JSON.stringify({ ...note, starter: 2 ** 22 + 1 }));
  const network = await practiceNetwork(dir);
  expect(await orphan.ended).toBe(0);
  expect(network.ours).toBe(true);
  expect(await answers(network.url)).toBe(true);
  await network.stop();
});

test('one that cannot come up says why', async () => {
  writeFileSync(join(dir, 'chain'), 'a file where its folder must be');
  await expect(practiceNetwork(dir)).rejects.toThrow(/did not come up[\s\S]*chain/);
});
