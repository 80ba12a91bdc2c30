import { expect, test } from 'vitest';
import { createEngineWatch } from '../../../agent/engine-watch.ts';
import type { EngineFacts } from '../../../core/engine-gates.ts';
import { perLane } from '../../../core/primitives.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { FakeContainers } from '../../fakes/containers.ts';
import { FakeSettings } from '../../fakes/small.ts';
import { ENTRY } from '../../fakes/world.ts';

const MINUTE = 60_000;
const FACTS: EngineFacts = {
  ...{ product: 'docker', version: '28.0.0', platform: 'linux/amd64', components: {}, runtimes: ['runc', 'runsc'] },
  ...{ rootless: false, containers: 'linux', seccomp: true, cdi: false },
  limits: { memory: true, cpu: true, pids: true, groups: true },
};

test('a gVisor that does not run work is tried again later, and once when it does', async () => {
  const clock = new FakeClock();
  const containers = new FakeContainers();
  containers.known = FACTS;
  containers.runtimeWorks = false;
  let trials = 0;
  const tried = containers.runsUnder;
  containers.runsUnder = () => {
    trials += 1;
    return tried();
  };
  const watch = createEngineWatch({
    ports: { clock, log: () => undefined, containers, settings: new FakeSettings() },
    device: '0x00000000000000000000000000000000000000aa',
    catalogue: () => ({ version: 1, minimums: [], entries: [{ ...ENTRY, purpose: 'door' }] }),
    images: {
      ...{ look: async () => true, lacks: () => false },
      ...{ offered: () => perLane(() => true), fetching: () => perLane(() => null) },
    },
    wake: () => undefined,
  });
  await watch.look();
  await watch.look();
  expect([trials, watch.launch().runtime]).toEqual([1, undefined]);
  containers.runtimeWorks = true;
  await clock.advance(11 * MINUTE);
  await watch.look();
  await clock.advance(60 * MINUTE);
  await watch.look();
  expect([trials, watch.launch().runtime]).toEqual([2, 'runsc']);
  watch.close();
  expect(clock.pending()).toBe(0);
});
