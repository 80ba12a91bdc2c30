import { describe, expect, it } from 'vitest';
import { Failure } from '../../../core/errors.ts';
import type { Snapshot } from '../../../core/snapshot.ts';
import { createAgentHolder } from '../../../main/agent-holder.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { StubAgent, snapshotOf } from '../../fakes/stub-agent.ts';

const address = `0x${'33'.repeat(20)}` as const;
const unreadable = () => new Failure('VAULT_UNREADABLE', 'the keyring is locked');

function holderOf(open: () => Promise<StubAgent>) {
  const clock = new FakeClock();
  const seen: Snapshot[] = [];
  const holder = createAgentHolder({
    clock,
    log: () => {},
    version: '1.2.3',
    dataDir: '/d',
    open: async () => ({ agent: await open(), owner: address, device: address }),
    onSnapshot: (snapshot) => seen.push(snapshot),
  });
  return { clock, holder, seen };
}

describe('an agent that opens', () => {
  it('is started, shown at once and with every change, and stopped', async () => {
    const agent = new StubAgent(() => 0);
    const { holder, seen } = holderOf(async () => agent);
    expect(holder.newest()).toBeNull();
    holder.start();
    expect(await holder.ready()).toBe(agent);
    holder.wake();
    expect(seen.at(-1)?.earnings.today).toBe(10n ** 18n);
    expect(holder.newest()).toBe(seen.at(-1));
    await holder.stop();
    expect(agent.stopped).toBe(true);
  });
});

describe('an agent that cannot be opened', () => {
  it('leaves the app up, saying why, and refusing every command with that reason', async () => {
    const { clock, holder, seen } = holderOf(() => Promise.reject(unreadable()));
    holder.start();
    const stand = await holder.ready();
    expect(seen.at(-1)).toMatchObject({
      presence: 'attention',
      problems: [{ kind: 'vault-unreadable', detail: 'the keyring is locked' }],
      wallet: null,
      version: '1.2.3',
    });
    expect(await stand.commands.shareMode('now')).toEqual({
      ok: false,
      failure: { code: 'VAULT_UNREADABLE', message: 'the keyring is locked' },
    });
    await holder.stop();
    expect(clock.pending()).toBe(0);
  });

  it('is tried again until it opens, and then takes over with a newer revision', async () => {
    let locked = true;
    const { clock, holder, seen } = holderOf(async () => {
      if (locked) throw unreadable();
      return new StubAgent(() => 0, snapshotOf());
    });
    holder.start();
    const stand = await holder.ready();
    locked = false;
    await clock.advance(9_999);
    expect(await holder.ready()).toBe(stand);
    await clock.advance(1);
    expect(holder.newest()?.presence).toBe('waiting');
    expect(await holder.ready()).not.toBe(stand);
    const [before, after] = [seen[0]?.rev ?? 0, seen.at(-1)?.rev ?? 0];
    expect(after).toBeGreaterThan(before);
    await holder.stop();
  });

  it('is stopped when it was opened but would not start', async () => {
    const agent = new StubAgent(() => 0);
    const broken = Object.assign(agent, { start: () => Promise.reject(new Failure('DISK_FULL', 'no space')) });
    const { holder, seen } = holderOf(async () => broken);
    holder.start();
    await expect.poll(() => seen.at(-1)?.problems).toEqual([{ kind: 'ledger-unwritable', detail: 'no space' }]);
    expect(agent.stopped).toBe(true);
    await holder.stop();
  });
});

it('names a failure that is no known fault as what it is', async () => {
  const { holder, seen } = holderOf(() => Promise.reject(new Failure('CONFLICT', 'another Idlemesh uses the folder')));
  holder.start();
  await holder.ready();
  expect(seen.at(-1)?.problems).toEqual([{ kind: 'not-started', detail: 'another Idlemesh uses the folder' }]);
  await holder.stop();
});
