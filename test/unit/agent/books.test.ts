import { beforeEach, describe, expect, test, vi } from 'vitest';
import { createAgent } from '../../../agent/agent.ts';
import type { Agent } from '../../../agent/api.ts';
import { createBooks } from '../../../agent/books.ts';
import { reportHash } from '../../../core/typed-data.ts';
import { FakeContainers } from '../../fakes/containers.ts';
import { FakeLedger } from '../../fakes/ledger.ts';
import { IMAGE, World } from '../../fakes/world.ts';

let world: World;
beforeEach(() => {
  world = new World();
});
const until = (condition: () => boolean, what: string, limit?: number) => world.until(condition, what, limit);

describe('kill -9: the agent is gone without a word, another opens the same disk', () => {
  test('in the middle of a job: the orphan is removed, the job starts again and is paid once', async () => {
    world.containers.automatic = false;
    await world.ready();
    const id = world.issue();
    await until(() => world.containers.jobs().length === 1 && world.containers.fed(), 'running');
    const orphan = world.containers.jobs()[0]?.id;
    world = world.kill();
    world.containers.automatic = true;
    const agent = await world.start();
    await until(() => world.stateOf(id) === 'credited', 'credited');
    expect(world.containers.jobs().map((job) => job.id)).not.toContain(orphan);
    expect([...world.network.credits]).toEqual([[id, 1]]);
    await agent.stop();
  });

  test('after a result was kept and before it was acknowledged: it is sent again', async () => {
    world.network.automaticVerdicts = false;
    await world.ready();
    const id = world.issue();
    await until(() => world.stateOf(id) === 'finished', 'finished');
    world = world.kill();
    world.network.automaticVerdicts = true;
    const agent = await world.start();
    await until(() => world.stateOf(id) === 'credited', 'credited');
    expect([...world.network.credits]).toEqual([[id, 1]]);
    expect(world.containers.started).toHaveLength(1);
    await agent.stop();
  });

  test('after a report was sent and before its receipt: the same report again, credited once', async () => {
    world.network.losesReceipts = true;
    await world.ready();
    const id = world.issue();
    await until(() => world.stateOf(id) === 'reported', 'reported');
    await until(() => world.network.reports.size === 1, 'received');
    const before = world.network.reports.get(1);
    world = world.kill();
    world.network.losesReceipts = false;
    const agent = await world.start();
    await until(() => world.stateOf(id) === 'credited', 'credited');
    expect(world.network.reports.get(1)).toEqual(before);
    expect(world.network.reports.size).toBe(1);
    expect([...world.network.credits]).toEqual([[id, 1]]);
    await agent.stop();
  });
});

describe('reports', () => {
  test('are chained, one sequence each, and a lost receipt is asked for again', async () => {
    const agent = await world.ready();
    for (let job = 0; job < 3; job++) {
      const id = world.issue(`job ${job}`);
      await until(() => world.stateOf(id) === 'credited', 'credited');
      await until(() => world.network.slots === 1, 'free again');
    }
    const [first, second, third] = [1, 2, 3].map((sequence) => world.network.reports.get(sequence));
    expect(second?.previous).toBe(first && reportHash(first));
    expect(third?.previous).toBe(second && reportHash(second));
    world.network.losesReceipts = true;
    const id = world.issue('job 3');
    await until(() => world.stateOf(id) === 'reported', 'reported');
    await world.clock.advance(5_000);
    world.network.losesReceipts = false;
    await until(() => world.stateOf(id) === 'credited', 'sent again');
    expect(world.vault.signed.filter((name) => name === 'Report')).toHaveLength(4);
    await agent.stop();
  });

  test('that the network has lost are sent to it again before new ones, and count once', async () => {
    const agent = await world.ready();
    for (let job = 0; job < 20; job++) {
      const id = world.issue(`job ${job}`);
      await until(() => world.stateOf(id) === 'credited', 'credited');
      await until(() => world.network.slots === 1, 'free again');
    }
    world.network.become(false);
    world.network.loseReports(1);
    world.network.become(true);
    await until(() => world.network.reports.size === 20, 'sent again');
    const id = world.issue('after the loss');
    await until(() => world.stateOf(id) === 'credited', 'the next report follows');
    expect(agent.snapshot()).toMatchObject({ problems: [], earnings: { credited: 21n * 12n } });
    world.network.become(false);
    world.network.loseReports(0);
    world.network.become(true);
    await until(() => world.network.reports.size === 21, 'all of them again');
    expect(agent.snapshot()).toMatchObject({ problems: [], earnings: { credited: 21n * 12n } });
    await agent.stop();
  });

  test('that the network does not take are shown as a problem', async () => {
    const agent = await world.ready();
    const id = world.issue();
    await until(() => world.stateOf(id) === 'credited', 'credited');
    const [stored] = world.disk.reports;
    world.network.tell({
      ...{ type: 'error', code: 'CONFLICT', message: 'report 1 does not follow' },
      about: stored ? reportHash(stored.stored.report) : null,
    });
    await until(() => agent.snapshot().problems.some((problem) => problem.kind === 'coordinator-refused'), 'shown');
    expect(agent.snapshot().coordinator).toMatchObject({ detail: expect.stringContaining('does not follow') });
    await agent.stop();
  });

  test('a forged receipt is not believed', async () => {
    world.network.forgesReceipts = true;
    const agent = await world.ready();
    const id = world.issue();
    await until(() => agent.snapshot().problems.some((problem) => problem.kind === 'coordinator-refused'), 'shown');
    expect(world.stateOf(id)).toBe('reported');
    expect(agent.snapshot().earnings.credited).toBe(0n);
    world.network.forgesReceipts = false;
    await until(() => world.stateOf(id) === 'credited', 'the true one is');
    await agent.stop();
  });

  test('a ledger behind the network signs nothing and takes no work', async () => {
    const first = await world.ready();
    const id = world.issue();
    await until(() => world.stateOf(id) === 'credited', 'credited');
    await first.stop();
    world.disk.records.clear();
    world.disk.reports.length = 0;
    const signed = world.vault.signed.filter((name) => name === 'Report').length;
    const agent = await world.start();
    await until(() => agent.snapshot().coordinator.kind === 'refused', 'refused');
    await world.clock.advance(30_000);
    expect(world.vault.signed.filter((name) => name === 'Report')).toHaveLength(signed);
    expect(world.network.slots).toBe(0);
    await agent.stop();
  });

  test('a result that the network rejects earns nothing and is not reported', async () => {
    world.network.automaticVerdicts = false;
    const agent = await world.ready();
    const id = world.issue();
    await until(() => world.stateOf(id) === 'finished', 'finished');
    world.network.tell({
      type: 'verdict',
      verdict: { leaseId: id, kind: 'rejected', reason: 'differs from its replica' },
    });
    await until(() => world.stateOf(id) === 'rejected', 'rejected');
    await world.clock.advance(10_000);
    expect(world.network.reports.size).toBe(0);
    const page = await agent.commands.earnings({ before: null, limit: 10 });
    expect(page).toMatchObject({
      ok: true,
      value: { entries: [{ state: 'refused', detail: 'differs from its replica' }] },
    });
    await agent.stop();
  });

  test('a cancelled lease ends its container', async () => {
    world.containers.automatic = false;
    const agent = await world.ready();
    const id = world.issue();
    await until(() => world.containers.jobs().length === 1 && world.containers.fed(), 'running');
    world.network.tell({ type: 'cancel', leaseId: id, reason: 'the consumer withdrew it' });
    await until(() => world.stateOf(id) === 'dropped' && world.containers.jobs().length === 0, 'gone');
    await until(() => world.network.slots === 1, 'free again');
    await agent.stop();
  });
});

test('nothing is taken for written while no ledger is open', async () => {
  const books = createBooks({
    ...{ clock: world.clock, log: () => undefined, changed: () => undefined, opened: () => undefined },
    openLedger: () => new FakeLedger(world.disk),
  });
  const write = vi.fn();
  expect(() => books.now(write)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
  books.open(world.network.info.networkId);
  books.now(write);
  expect(write).toHaveBeenCalledTimes(1);
  books.close();
  expect(() => books.now(write)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
});

describe('withdrawal', () => {
  async function earned(): Promise<Agent> {
    const agent = await world.ready();
    const id = world.issue();
    await until(() => world.stateOf(id) === 'credited', 'credited');
    world.network.closeEpoch(world.vault.owner);
    await until(() => agent.snapshot().wallet?.claimable === 12n, 'claimable');
    return agent;
  }
  const withdrawal = (agent: Agent) => agent.snapshot().wallet?.withdrawal;

  test('brings all that is claimable, once', async () => {
    const agent = await earned();
    expect(await agent.commands.withdraw({ recipient: null })).toEqual({ ok: true, value: null });
    expect(await agent.commands.withdraw({ recipient: null })).toMatchObject({
      ok: false,
      failure: { code: 'CONFLICT' },
    });
    await until(() => withdrawal(agent)?.kind === 'done', 'done');
    await until(() => agent.snapshot().wallet?.balance === 12n, 'balance follows');
    expect(agent.snapshot()).toMatchObject({ wallet: { claimable: 0n }, earnings: { claimed: 12n, published: 12n } });
    await agent.commands.withdraw({ recipient: null });
    await until(() => withdrawal(agent)?.kind === 'failed', 'nothing left');
    expect(world.chain.balances.get(world.vault.owner)).toBe(12n);
    await agent.stop();
  });

  test.each<[string, (world: World) => void, string]>([
    ['the chain is away', (w) => Object.assign(w.chain, { up: false }), 'CHAIN_AWAY'],
    ['the transaction reverts', (w) => Object.assign(w.chain, { reverts: true }), 'REFUSED'],
    ['the vault is locked', (w) => Object.assign(w.vault, { locked: true }), 'VAULT_UNREADABLE'],
    [
      'the proof is false',
      (w) => w.network.publish({ epoch: 2, root: `0x${'1'.repeat(64)}`, cumulative: 99n, proof: [] }),
      'REFUSED',
    ],
  ])('fails with its reason when %s, and can be tried again', async (_name, spoil, code) => {
    const agent = await earned();
    const proof = world.network.proof();
    spoil(world);
    await agent.commands.withdraw({ recipient: null });
    await until(() => withdrawal(agent)?.kind === 'failed', 'failed');
    expect(withdrawal(agent)).toMatchObject({ failure: { code } });
    Object.assign(world.chain, { up: true, reverts: false });
    world.vault.locked = false;
    if (proof !== null) world.network.publish(proof);
    await agent.commands.withdraw({ recipient: null });
    await until(() => withdrawal(agent)?.kind !== 'signing', 'tried again');
    await until(() => world.chain.claims.get(world.vault.owner) === 12n, 'claimed');
    await agent.stop();
  });
});

test('the janitor leaves the containers of other devices alone', async () => {
  const other = new World();
  const shared = new FakeContainers();
  shared.images.add(IMAGE);
  shared.automatic = false;
  for (const device of [world, other]) Object.defineProperty(device, 'containers', { value: shared });
  const first = await world.ready();
  world.issue();
  await until(() => shared.jobs().length === 1, 'running');
  const second = createAgent({ ...other.ports(), openLedger: () => new FakeLedger(other.disk) }, { version: '0' });
  await second.start();
  await other.clock.advance(20_000);
  await second.stop();
  expect(shared.jobs()).toHaveLength(1);
  await first.stop();
});
