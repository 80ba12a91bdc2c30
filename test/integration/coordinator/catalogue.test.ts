import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { coordinatorDirectory, UNCOUNTED } from '../../../agent/adapters/coordinator.ts';
import { fileSecretBox } from '../../../agent/adapters/file-secret-box.ts';
import type { Agent } from '../../../agent/api.ts';
import { openNodeAgent } from '../../../agent/node.ts';
import { releaseTag } from '../../../core/release.ts';
import { freePort } from '../../support/free-port.ts';
import { TestNetwork } from '../../support/network.ts';
import { QUIET } from '../../support/quiet.ts';
import { signed, signedFiles } from '../../support/signed.ts';
import { until } from '../../support/wait.ts';

const SECOND = signed(Date.now(), { version: 2 });
const FIRST = signed(Date.now(), { version: 1 });

/** What the coordinator serves; it does not look at it. */
const offered = { envelope: SECOND, expiresAt: Date.now() + 60_000_000 };

let network: TestNetwork;
let folder: string;
let agent: Agent | null = null;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'idlemesh-offered-'));
  network = await TestNetwork.start({ release: offered, port: await freePort() });
});
afterEach(async () => {
  await agent?.stop();
  agent = null;
});
afterAll(async () => {
  await network.stop();
  await rm(folder, { recursive: true, force: true });
});

const logged: { readonly event: string; readonly fields: unknown }[] = [];

async function open(coordinatorUrl: string): Promise<Agent> {
  const opened = await openNodeAgent({
    ...{ version: '0.0.0', dataDir: join(folder, 'agent'), initial: { coordinatorUrl, rules: QUIET } },
    ...(await signedFiles(folder, [])),
    seccompFile: join(import.meta.dirname, '../../../resources/seccomp.json'),
    secretBox: fileSecretBox(join(folder, 'secret.key')),
    idleMs: async () => 0,
    log: (_level, event, fields) => logged.push({ event, fields }),
  });
  agent = opened.agent;
  await agent.start();
  return agent;
}

test('a coordinator serves the envelope as it is, and not again to who has it', async () => {
  const answer = await fetch(`${network.url}/v1/catalogue`);
  expect(await answer.text()).toBe(SECOND);
  const tag = answer.headers.get('etag') ?? '';
  expect(tag).toBe(releaseTag(SECOND));
  const again = await fetch(`${network.url}/v1/catalogue`, { headers: { 'if-none-match': tag } });
  expect([again.status, await again.text()]).toEqual([304, '']);
  const { catalogue } = coordinatorDirectory({ log: () => undefined, traffic: UNCOUNTED });
  expect(await catalogue(network.url, null)).toBe(SECOND);
  expect(await catalogue(network.url, tag)).toBeNull();
  expect(await catalogue(network.url, releaseTag(FIRST))).toBe(SECOND);
});

const problems = () => agent?.snapshot().problems.filter(({ kind }) => kind.startsWith('catalogue-')) ?? [];
const inForce = () =>
  logged.flatMap(({ event, fields }) =>
    event === 'catalogue' ? [z.object({ version: z.number() }).parse(fields).version] : [],
  );

test('an agent takes the newer one from it, and refuses and tells when it replays the older one', async () => {
  await open(network.url);
  await until('the newer one', () => inForce().includes(2));
  expect(inForce()).toEqual([1, 2]);
  expect(problems()).toEqual([]);
  offered.envelope = FIRST;
  await network.restart();
  await until('the complaint', () => problems().length > 0);
  expect(problems()).toEqual([
    { kind: 'catalogue-refused', url: network.url, why: { kind: 'older', version: 1, highest: 2 } },
  ]);
  expect(inForce()).toEqual([1, 2]);
  await agent?.stop();
  agent = null;
  // Nor does a new start go back: what came with the app is the first one, too.
  logged.length = 0;
  await open(network.url);
  await until('the catalogue', () => inForce().length > 0);
  expect(inForce()).toEqual([2]);
});

test('orders are refused once what it offers has ended', async () => {
  const body = JSON.stringify({ workload: 'echo', inputBytes: 1, params: {} });
  const ask = () =>
    fetch(`${network.url}/v1/quotes`, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
  expect((await ask()).status).toBe(200);
  offered.expiresAt = Date.now() - 1;
  expect(await (await ask()).text()).toMatch(/no longer valid/);
  offered.expiresAt = Date.now() + 60_000_000;
});
