import { describe, expect, it } from 'vitest';
import { createProver } from '../../../agent/prover.ts';
import type { CatalogueEntry } from '../../../core/catalogue.ts';
import { conclude } from '../../../core/proof.ts';
import type { EngineState } from '../../../core/signals.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { FakeContainers } from '../../fakes/containers.ts';
import { FakeProbeHost, FakeProofs } from '../../fakes/proof.ts';
import { ENTRY, IMAGE, World } from '../../fakes/world.ts';
import { attempt, proofWith } from '../../support/proof.ts';
import { randomAddress, randomHex32 } from '../../support/random.ts';

const PROBE: CatalogueEntry = { ...ENTRY, id: 'probe', purpose: 'probe' };

function stage(change: { readonly engine?: EngineState; readonly entries?: readonly CatalogueEntry[] } = {}) {
  const containers = new FakeContainers();
  containers.automatic = false;
  containers.images.add(IMAGE);
  const proofs = new FakeProofs();
  const clock = new FakeClock();
  const device = randomAddress();
  const prover = createProver({
    ports: {
      ...{ containers, proofs, clock, log: () => undefined, random: { hex32: randomHex32 } },
      ...{ seccompProfile: '{}', probeHost: new FakeProbeHost() },
    },
    ...{ device, instance: 'one', changed: () => undefined },
    engine: {
      state: () => change.engine ?? { kind: 'ready', version: '1' },
      launch: () => ({ door: 'sha256:door' }),
    },
    catalogue: () => ({ version: 1, minimums: [], entries: [...(change.entries ?? [ENTRY, PROBE])] }),
    share: () => ({ cpuCores: 1, memoryBytes: 2 ** 28, pids: 64 }),
  });
  return { prover, containers, proofs, clock, device };
}

describe('it is refused, and says why', () => {
  it('while the engine is not ready', async () => {
    const { prover, containers } = stage({ engine: { kind: 'absent', detail: 'no socket' } });
    await expect(prover.prove()).rejects.toMatchObject({ code: 'ENGINE_AWAY' });
    expect(containers.started).toEqual([]);
  });
  it('without a probe in the catalogue, or its image on the engine', async () => {
    await expect(stage({ entries: [ENTRY] }).prover.prove()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const { prover, containers } = stage();
    containers.images.clear();
    await expect(prover.prove()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
  it('and one that was made beside it, in a terminal, counts as well', async () => {
    const { prover, proofs, clock } = stage();
    await prover.open();
    const tell = async (): Promise<void> => {
      for (const listener of proofs.listeners) listener();
      await clock.advance(0);
    };
    const leaked = proofWith([attempt('gateway', { outcome: 'escaped', detail: 'connected' })]);
    proofs.kept = leaked;
    await tell();
    expect([prover.leaks(), prover.last()]).toEqual([true, leaked]);
    // Older than what is known.
    proofs.kept = { ...proofWith([]), finishedAt: leaked.finishedAt - 1 };
    await tell();
    expect([prover.leaks(), prover.last()]).toEqual([true, leaked]);
    prover.close();
    expect(proofs.listeners.size).toBe(0);
  });
  it('and what got out before holds on, when a later one comes to no end', async () => {
    const { prover, containers, clock, proofs } = stage();
    const leaked = proofWith([attempt('gateway', { outcome: 'escaped', detail: 'connected' })]);
    proofs.kept = leaked;
    await prover.open();
    const ended = prover.prove().catch((error: unknown) => error);
    await clock.until(() => containers.jobs().length === 1, 'it runs');
    containers.become({ kind: 'absent', detail: 'gone' });
    expect(await ended).toMatchObject({ code: 'ENGINE_AWAY' });
    expect([prover.leaks(), proofs.kept]).toEqual([true, leaked]);
  });
  it('while another one is under way; after it has failed the next may begin', async () => {
    const { prover, containers, clock } = stage();
    const first = prover.prove();
    const ended = first.catch((error: unknown) => error);
    await clock.until(() => containers.jobs().length === 1, 'it runs');
    expect(prover.view()).toMatchObject({ running: { suite: 'reach', tried: 0 }, last: null });
    await expect(prover.prove()).rejects.toMatchObject({ code: 'CONFLICT' });
    containers.become({ kind: 'absent', detail: 'gone' });
    expect(await ended).toMatchObject({ code: 'ENGINE_AWAY' });
    expect(prover.view()).toEqual({ running: null, last: null });
  });
});

it('its containers are no orphans while it runs, and are afterwards', async () => {
  const { prover, containers, clock, device } = stage();
  const ended = prover.prove().catch((error: unknown) => error);
  await clock.until(() => containers.jobs().length === 1, 'it runs');
  const seen = await containers.list(device);
  expect(seen).toHaveLength(1);
  expect(prover.others(seen)).toEqual([]);
  const stranger = { ...seen[0], leaseId: randomHex32() } as (typeof seen)[number];
  expect(prover.others([...seen, stranger])).toEqual([stranger]);
  containers.become({ kind: 'absent', detail: 'gone' });
  await ended;
  expect(prover.others(seen)).toEqual(seen);
});

describe('what an earlier run found', () => {
  it('is known again: what held lets work run', async () => {
    const world = new World();
    world.proofs.kept = proofWith([], 5_000);
    const agent = await world.ready();
    expect(agent.snapshot().proof).toEqual({
      running: null,
      last: { finishedAt: 5_000, tried: world.proofs.kept.tried, escaped: 0, missing: 0 },
    });
    expect(await agent.commands.lastProof(null)).toEqual({ ok: true, value: world.proofs.kept });
    await agent.stop();
  });

  it('holds every lane while something got out, and says so', async () => {
    const world = new World();
    world.proofs.kept = proofWith([attempt('gateway', { outcome: 'escaped', detail: 'connected' })]);
    const agent = await world.start();
    await world.until(() => agent.snapshot().problems.some(({ kind }) => kind === 'sandbox-leaks'), 'it is said');
    expect(agent.snapshot().reason).toEqual({ kind: 'sandbox-leaks' });
    expect(agent.snapshot().lanes.every(({ decision }) => decision.kind === 'hold')).toBe(true);
    expect(world.network.slots).toBe(0);
    await agent.stop();
  });

  it('does not hold lanes where a probe only did not answer', async () => {
    const world = new World();
    const { results } = proofWith();
    world.proofs.kept = { ...proofWith(), ...conclude(results.slice(1)) };
    const agent = await world.ready();
    expect(agent.snapshot().proof.last).toMatchObject({ missing: 1 });
    await agent.stop();
  });
});
