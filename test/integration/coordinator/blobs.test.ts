import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseTokens } from '../../../core/money.ts';
import { getBlob, putBlob, sha256 } from '../../support/device.ts';
import { TestNetwork } from '../../support/network.ts';
import { until } from '../../support/wait.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const MINUTE = 60_000;

describe('blobs nobody used for a while', () => {
  let network: TestNetwork;
  // Stands still but for the test's own steps.
  const started = Date.now();
  let ahead = 0;
  beforeAll(async () => {
    network = await TestNetwork.start({
      keepBlobsMs: 400,
      clock: { now: () => started + ahead },
      leaseMs: 60 * MINUTE,
    });
  }, 60_000);
  afterAll(() => network.stop());

  const kept = async (text: string): Promise<boolean> => {
    const name = sha256(bytes(text)).slice(2);
    const names = await readdir(join(network.dataDir, 'blobs'), { recursive: true });
    return names.some((path) => path.endsWith(name));
  };

  it('go, but for what an open job needs; what is done goes too', async () => {
    const consumer = await network.consumer(parseTokens('1'));
    const device = await network.device();
    const job = await consumer.submit('echo', bytes('needed'));
    const lease = await device.nextLease();
    expect((await putBlob(network.url, consumer.token, bytes('forgotten'))).status).toBe(204);
    expect(await kept('forgotten')).toBe(true);

    ahead = MINUTE;
    await until('the forgotten one to go', async () => !(await kept('forgotten')));
    expect(await kept('needed')).toBe(true);

    await device.finish(lease, bytes('output'));
    const done = await consumer.follow(job.jobId, ['done', 'failed']);
    expect(done.state).toBe('done');
    const answer = await getBlob(network.url, consumer.token, sha256(bytes('output')));
    expect(await answer.text()).toBe('output');
    ahead = 2 * MINUTE;
    await until('both to go', async () => !(await kept('needed')) && !(await kept('output')));
  });
});
