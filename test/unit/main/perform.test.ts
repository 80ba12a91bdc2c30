import { expect, it } from 'vitest';
import { succeeded } from '../../../core/errors.ts';
import type { Commands } from '../../../core/ipc.ts';
import { folderFor } from '../../../main/folder.ts';
import { perform } from '../../../main/perform.ts';
import { StubAgent } from '../../fakes/stub-agent.ts';

const agent = () => new StubAgent(() => 0);
const commandsOf = (stub: StubAgent): Commands => ({
  ...stub.commands,
  openHelp: async () => succeeded(null),
  chooseFolder: () => folderFor(stub.commands.useFolder, async () => '/media/large'),
});

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
  ['updateSettings', { limits: { storage: { folder: '/etc' } } }],
  ['chooseFolder', '/etc'],
  ['useFolder', '/etc'],
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

it('puts what others keep where the owner chose, and nowhere else', async () => {
  const stub = agent();
  const folder = () => stub.snapshot().settings.limits.storage.folder;
  expect(await perform(commandsOf(stub), 'chooseFolder', null)).toEqual(succeeded('/media/large'));
  expect(folder()).toBe('/media/large');
  expect(await folderFor(stub.commands.useFolder, async () => null)).toEqual(succeeded(null));
  expect(folder()).toBe('/media/large');
  const broken = await folderFor(stub.commands.useFolder, () => Promise.reject(new Error('no dialog')));
  expect(broken).toMatchObject({ ok: false });
  const refused = { ok: false, failure: { code: 'DISK_FULL', message: '' } } as const;
  expect(
    await folderFor(
      async () => refused,
      async () => '/elsewhere',
    ),
  ).toEqual(refused);
});
