import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { HDNodeWallet, verifyTypedData } from 'ethers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fileSecretBox } from '../../../agent/adapters/file-secret-box.ts';
import { takeLock } from '../../../agent/adapters/lock.ts';
import { fileLog } from '../../../agent/adapters/log.ts';
import { fileNetworks } from '../../../agent/adapters/networks.ts';
import { systemSensors } from '../../../agent/adapters/sensors.ts';
import { openSettings } from '../../../agent/adapters/settings.ts';
import { ttyIdle } from '../../../agent/adapters/tty-idle.ts';
import { openVault } from '../../../agent/adapters/vault.ts';
import type { Settings } from '../../../core/settings.ts';
import { domainOf, fieldsOf } from '../../../core/typed-data.ts';
import { settingsBehaviour } from '../../behaviors/settings.ts';
import { FakeChain } from '../../fakes/chain.ts';
import { FakeNetwork } from '../../fakes/network.ts';

const log = () => undefined;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'idlemesh-files-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

settingsBehaviour('file', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'idlemesh-settings-'));
  const path = join(dir, 'settings.json');
  const store = await openSettings({ path, log });
  const clean = async () => {
    store.close();
    await rm(dir, { recursive: true, force: true });
  };
  // A file where the folder was: nobody can write below it, not even root, whom permissions do not stop.
  const writable = async (yes: boolean) => {
    if (yes) {
      await rm(dir);
      await rename(`${dir}.aside`, dir);
    } else {
      await rename(dir, `${dir}.aside`);
      await writeFile(dir, '');
    }
  };
  const stored = () => readFile(path, 'utf8').catch(() => null);
  return { store, edit: (text) => writeFile(path, text), stored, writable, clean };
});

describe('the settings file', () => {
  test('takes first values only when there is no file, and is private', async () => {
    const path = join(folder, 'settings.json');
    const initial = (settings: Settings) => ({
      ...settings,
      rules: { ...settings.rules, idleAfterSeconds: 10 },
    });
    (await openSettings({ path, log, initial })).close();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const other = (settings: Settings) => ({ ...settings, rules: { ...settings.rules, idleAfterSeconds: 99 } });
    const again = await openSettings({ path, log, initial: other });
    expect(again.current().settings.rules.idleAfterSeconds).toBe(10);
    again.close();
  });
  test('a broken one is kept as it is, also by a reset', async () => {
    const path = join(folder, 'settings.json');
    await writeFile(path, '{ broken');
    const store = await openSettings({ path, log });
    expect(store.current().kind).toBe('broken');
    expect(await readFile(path, 'utf8')).toBe('{ broken');
    await store.reset();
    const kept = (await readdir(folder)).find((name) => name.includes('.broken-')) ?? '';
    expect(await readFile(join(folder, kept), 'utf8')).toBe('{ broken');
    store.close();
  });
});

describe('the vault', () => {
  const network = new FakeNetwork(new FakeChain(), () => 1).info;
  const domain = domainOf(network.chainId, network.distributor);
  const box = () => fileSecretBox(join(folder, 'secret.key'));
  const open = () => openVault(join(folder, 'vault.json'), box());
  const claim = (owner: `0x${string}`) => ({ owner, recipient: owner, amount: 1n, fee: 0n, deadline: 1 });

  test('signs as the same owner and device after it is opened again', async () => {
    const vault = await open();
    const again = await open();
    expect([again.owner, again.device]).toEqual([vault.owner, vault.device]);
    const value = claim(again.owner);
    const signature = await again.sign(network, 'Claim', value);
    expect(verifyTypedData(domain, fieldsOf('Claim'), value, signature).toLowerCase()).toBe(vault.owner);
    const session = { device: again.device, networkId: network.networkId, nonce: network.networkId, issuedAt: 1 };
    const signed = await again.deviceKey(network).sign('Session', session);
    expect(verifyTypedData(domain, fieldsOf('Session'), session, signed).toLowerCase()).toBe(vault.device);
    for (const name of ['vault.json', 'secret.key']) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
  });
  test('shows no secret in text, JSON or a debugger', async () => {
    const vault = await open();
    for (const shown of [`${vault}`, JSON.stringify(vault), inspect(vault, { depth: 9, showHidden: true })]) {
      expect(shown).toContain('REDACTED');
    }
  });
  test.each<[string, () => Promise<unknown>, boolean]>([
    ['its file is no wallet', () => writeFile(join(folder, 'vault.json'), '{"version":1'), true],
    ['its key is gone', () => rm(join(folder, 'secret.key')), false],
    ['its key is another', () => writeFile(join(folder, 'secret.key'), Buffer.alloc(32)), false],
    ['others may read its key', () => chmod(join(folder, 'secret.key'), 0o644), false],
  ])('is unreadable, and left as it is, when %s', async (_name, spoil, atOpen) => {
    const vault = await open();
    await spoil();
    const before = await readFile(join(folder, 'vault.json'));
    const unreadable = { code: 'VAULT_UNREADABLE' };
    if (atOpen) await expect(open()).rejects.toMatchObject(unreadable);
    else await expect((await open()).sign(network, 'Claim', claim(vault.owner))).rejects.toMatchObject(unreadable);
    expect(await readFile(join(folder, 'vault.json'))).toEqual(before);
  });
  test('tells a keyring that changed from a file that is corrupt', async () => {
    const { owner } = await open();
    const other = await openVault(join(folder, 'vault.json'), { ...box(), backend: 'kwallet' });
    expect(other.owner).toBe(owner);
    await expect(other.sign(network, 'Claim', claim(owner))).rejects.toThrow(/sealed by "file".*"kwallet"/);
  });
  test('derives the owner as every wallet does', () => {
    const phrase = 'test test test test test test test test test test test junk';
    expect(HDNodeWallet.fromPhrase(phrase, '', "m/44'/60'/0'/0/0").address).toBe(
      '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266',
    );
  });
});

describe('the lock', () => {
  test('is held once, given back, and taken from the dead', async () => {
    const path = join(folder, 'lock');
    const release = takeLock(path);
    expect(() => takeLock(path)).toThrow(expect.objectContaining({ code: 'CONFLICT' }));
    release();
    takeLock(path)();
    const dead = spawnSync(process.execPath, ['-e', '']).pid;
    await writeFile(path, `${dead} 123`);
    takeLock(path)();
    // The number lives on in another process, which began at another time.
    await writeFile(path, `${process.ppid} 1`);
    takeLock(path)();
    await writeFile(path, 'nonsense');
    takeLock(path)();
  });
});

test('networks are remembered by address; a broken memory is as good as none', async () => {
  const { info } = new FakeNetwork(new FakeChain(), () => 1);
  const memory = fileNetworks(folder);
  expect(await memory.load('http://a')).toBeNull();
  await memory.save('http://a', info);
  expect(await fileNetworks(folder).load('http://a')).toEqual(info);
  await writeFile(join(folder, 'networks.json'), '[');
  expect(await memory.load('http://a')).toBeNull();
});

test('the log is bounded and holds one JSON object a line', async () => {
  const write = fileLog(folder);
  for (let line = 0; line < 700; line++) write('info', 'event', { text: 'x'.repeat(10_000), amount: 5n });
  const sizes = await Promise.all((await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size));
  expect(sizes).toHaveLength(2);
  for (const size of sizes) expect(size).toBeLessThan(2.2 * 1024 * 1024);
  const last = (await readFile(join(folder, 'agent.log'), 'utf8')).trim().split('\n').at(-1) ?? '';
  expect(JSON.parse(last)).toMatchObject({ level: 'info', event: 'event', amount: '5' });
});

test('the log obeys nobody whose words are in it', async () => {
  const text = 'bad\u001b[2J\u009b31m\u202e\u0000\n{"level":"info"}';
  fileLog(folder)('warn', 'event', { text });
  const written = await readFile(join(folder, 'agent.log'), 'utf8');
  expect(written).toMatch(/^[ -~]+\n$/);
  expect(JSON.parse(written)).toMatchObject({ text });
});

test('idle time is since the newest read of a terminal, unknown without one', async () => {
  const now = 1_700_000_100_000;
  await writeFile(join(folder, '0'), '');
  await writeFile(join(folder, 'ptmx'), '');
  await utimes(join(folder, '0'), now / 1000 - 42, now / 1000);
  expect(await ttyIdle([{ path: folder, name: /^\d+$/ }], () => now)()).toBe(42_000);
  expect(await ttyIdle([{ path: folder, name: /^none$/ }], () => now)()).toBe('unknown');
  expect(await ttyIdle([{ path: join(folder, 'missing'), name: /./ }], () => now)()).toBe('unknown');
});

test('sensors answer or say unknown', async () => {
  const sensors = systemSensors({ idle: [], folder: join(folder, 'soon') });
  const nowhere = systemSensors({ idle: [], folder: join(folder, 'not', 'there') });
  expect(await nowhere.sources.freeDiskBytes[0]?.read()).toBe('unknown');
  expect(await sensors.sources.freeDiskBytes[0]?.read()).toBeGreaterThan(0);
  expect((await sensors.machine()).cpuCores).toBeGreaterThan(0);
  expect([true, false, 'unavailable']).toContain(await sensors.sources.onBattery[0]?.read());
});
