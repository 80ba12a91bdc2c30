import { expect, it } from 'vitest';
import { succeeded } from '../../../core/errors.ts';
import type { Commands } from '../../../core/ipc.ts';
import { perform } from '../../../main/perform.ts';
import { StubAgent } from '../../fakes/stub-agent.ts';

const agent = () => new StubAgent(() => 0);
const commandsOf = (stub: StubAgent): Commands => ({ ...stub.commands, openHelp: async () => succeeded(null) });

it('runs a command of the contract with its parsed argument', async () => {
  const stub = agent();
  expect(await perform(commandsOf(stub), 'shareMode', 'now')).toEqual(succeeded(null));
  expect(stub.snapshot().settings.sharing.mode).toBe('now');
});

it.each([
  ['shareMode', 'always'],
  ['pause', null],
  ['withdraw', { recipient: 'me' }],
  ['withdraw', { recipient: null, amount: 1n }],
  ['earnings', { before: null, limit: 1e9 }],
  ['openHelp', 'https://example.org'],
  ['updateSettings', { sharing: { mode: 'now' } }],
  ['constructor', null],
  ['toString', null],
  [42, null],
  [null, null],
])('refuses %s(%o) and changes nothing', async (name, argument) => {
  const stub = agent();
  const before = stub.snapshot();
  expect(await perform(commandsOf(stub), name, argument)).toMatchObject({ ok: false, failure: { code: 'BAD_INPUT' } });
  expect(stub.snapshot()).toBe(before);
});

it('hands a failure over as plain data', async () => {
  expect(await perform(commandsOf(agent()), 'withdraw', { recipient: null })).toEqual({
    ok: false,
    failure: { code: 'CHAIN_AWAY', message: 'the stub has no chain' },
  });
});
