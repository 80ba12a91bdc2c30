import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../agent/adapters/clock.ts';
import { edgeDoor } from '../../../agent/edge/door.ts';
import { openService } from '../../../agent/service.ts';
import { contentOf, fill, readAll } from '../../support/edge.ts';
import { randomAddress } from '../../support/random.ts';
import { type ServiceStage, serviceStage } from '../../support/service.ts';

const MIB = 1024 * 1024;
/** The image of the edge behind the real door, in the sandbox. */
let stage: ServiceStage;
beforeAll(async () => {
  const folder = join(import.meta.dirname, '../../../workloads/edge');
  stage = await serviceStage(1, { folder, tag: 'idlemesh/test-edge:0.1.0' });
}, 300_000);
afterAll(async () => {
  const left = await stage.left();
  await stage.close();
  expect(left).toEqual([]);
});

test('the image keeps and gives out chunks in the sandbox, and ends with its door', async () => {
  // The sandbox's own memory file system; a launch of the agent's has a volume for it.
  const run = await stage.start(['EDGE_FOLDER=/tmp/cache']);
  const service = openService(run, { clock: systemClock });
  try {
    const door = edgeDoor(service);
    await door.resize(8 * MIB);
    const publisher = randomAddress();
    const of = contentOf(publisher, { 'a.bin': randomBytes(3 * MIB + 9), 'b.txt': Buffer.from('b') });
    await fill(door, of);
    expect(await door.missing(of.content, publisher)).toEqual([]);
    for (const [hash, data] of of.chunks) {
      const { body } = await door.get({ hash, content: of.content, publisher });
      expect((await readAll(body)).equals(Buffer.from(data))).toBe(true);
    }
    const { usedBytes, budgetBytes } = await door.resize(2 * MIB);
    expect(usedBytes).toBeLessThanOrEqual(budgetBytes);
    service.close();
    expect((await run.exited).code).not.toBe(137);
  } finally {
    await stage.containers.remove(run.containerId);
  }
}, 120_000);
