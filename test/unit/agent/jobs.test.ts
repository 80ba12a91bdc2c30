import { beforeEach, expect, test } from 'vitest';
import { createBooks } from '../../../agent/books.ts';
import { createGpuChoice } from '../../../agent/gpu-choice.ts';
import { createJobs } from '../../../agent/jobs.ts';
import { createReporting } from '../../../agent/reporting.ts';
import { createTrial } from '../../../agent/trial.ts';
import { EMPTY_CATALOGUE } from '../../../core/catalogue.ts';
import { perLane } from '../../../core/primitives.ts';
import type { DeviceMessage } from '../../../core/wire.ts';
import { ENTRY, World } from '../../fakes/world.ts';

let world: World;
beforeEach(() => {
  world = World.held();
});

test('a lane that is switched off while the disk is full gives its lease back once', async () => {
  const { agent, id } = await world.running();
  world.disk.full = true;
  await agent.commands.updateSettings({ lanes: { cpu: { share: 'never' } } });
  await world.clock.advance(30_000);
  world.disk.full = false;
  await world.until(() => world.stateOf(id) === 'dropped', 'dropped');
  expect(world.network.declines).toMatchObject([{ leaseId: id, reason: 'stopped' }]);
  await agent.stop();
});

test('a lease whose end is not written yet is neither declined again nor started', async () => {
  const { agent, id: leaseId } = await world.running();
  world.network.become(false);
  await agent.stop();
  const ports = world.ports();
  const { clock, log } = ports;
  const sent: DeviceMessage[] = [];
  const nothing = (): undefined => undefined;
  const send = (message: DeviceMessage): boolean => sent.push(message) > 0;
  const books = createBooks({ clock, log, openLedger: ports.openLedger, opened: nothing, changed: nothing });
  books.open(world.network.info.networkId);
  const { owner, deviceKey } = world.vault;
  const key = () => deviceKey(world.network.info);
  const reporting = createReporting({
    ...{ clock, log, books, owner, key, send },
    network: () => null,
    changed: nothing,
  });
  const jobs = createJobs({
    ...{ ports, books, reporting, key, send, link: () => null, instance: 'this', slots: perLane(() => 1) },
    catalogue: () => ({ version: 1, minimums: [], entries: [ENTRY] }),
    gpus: createGpuChoice({ ports, gpus: () => [], engine: () => ({ kind: 'unchecked' }), wake: nothing }),
    ...{ skew: () => 0, doubtSkew: nothing, declined: nothing, doubtEngine: nothing, escalated: nothing },
    launch: () => ({ door: '' }),
    trial: createTrial({
      ...{ log, send, wake: nothing, catalogue: () => EMPTY_CATALOGUE },
      ...{ gpus: () => [], engine: () => ({ kind: 'unchecked' }) },
    }),
    ...{ changed: nothing, wake: nothing },
  });
  world.disk.full = true;
  for (let round = 0; round < 3; round++) await jobs.apply({ kind: 'drop', leaseId, why: 'withdrawn' });
  await jobs.apply({ kind: 'start', leaseId });
  expect(sent).toMatchObject([{ type: 'decline', leaseId }]);
  expect(jobs.running()).toEqual([]);
  books.close();
});
