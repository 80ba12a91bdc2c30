import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Consumer } from '../../../cli/consumer.ts';
import { OwnerKey } from '../../../cli/vault/keys.ts';
import { networkPlaces } from '../../../cli/vault/network-places.ts';
import { repair } from '../../../cli/vault/repair.ts';
import { restore } from '../../../cli/vault/restore.ts';
import { store } from '../../../cli/vault/store.ts';
import { API } from '../../../core/api.ts';
import { parseTokens } from '../../../core/money.ts';
import type { Address, Hex32 } from '../../../core/primitives.ts';
import type { ShapeRule } from '../../../core/stored-file.ts';
import { newAccount } from '../../support/chain.ts';
import { keepChannels } from '../../support/channel.ts';
import { TestNetwork } from '../../support/network.ts';
import { storageStage } from '../../support/storage-lane.ts';
import { vaultEntry } from '../../support/vault-entry.ts';
import { until } from '../../support/wait.ts';

/** Any three of six, in shards of a page: a small file has many. */
const RULE: ShapeRule = { k: 3, n: 6, shardSizes: [4096], mostGroups: 2048 };
const DEVICES = 9;
const repairer = newAccount();
let network: TestNetwork;
let folder = '';
const keepers = new Map<Address, { readonly destroy: () => Promise<void>; readonly close: () => Promise<void> }>();
const owners = new Map<Address, Address>();

/** The agent's storage lane over a real vault, on the session of a device. */
async function keeper(): Promise<void> {
  const device = await network.device(0);
  const stage = await storageStage(network.coordinator.network, vaultEntry(), device);
  stage.rule();
  await until('its vault serves', () => stage.lane().routes() !== null);
  const { keeper: channels, heed } = keepChannels(device, stage.lane().routes() ?? []);
  let seen = 0;
  const timer = setInterval(() => {
    heed();
    for (const message of device.messages.slice(seen)) {
      switch (message.type) {
        case 'agreements':
        case 'agreement':
        case 'agreement-ended':
        case 'audit':
        case 'storage-standing':
          stage.lane().heard(message);
      }
    }
    seen = device.messages.length;
  }, 5);
  stage.lane().welcomed();
  owners.set(device.key.address, device.owner.address);
  keepers.set(device.key.address, {
    destroy: () => rm(join(stage.folder, 'vault/shards'), { recursive: true, force: true }),
    async close() {
      clearInterval(timer);
      await channels.close();
      await stage.close();
    },
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'idlemesh-stored-'));
  const terms = { auditAtLeastEveryMs: 1_000, answerWithinMs: 5_000 };
  network = await TestNetwork.start({ storage: { price: parseTokens('1000'), repairers: [repairer.address], terms } });
  for (let count = 0; count < DEVICES; count++) await keeper();
}, 120_000);
afterAll(async () => {
  for (const one of keepers.values()) await one.close();
  await network.stop();
  await rm(folder, { recursive: true, force: true });
});

it('a file survives what its places lose, is paid for as audits pass, and is made whole without its owner', async () => {
  const { account } = await network.consumer(parseTokens('1000'));
  const consumer = await Consumer.connect(network.url, account.privateKey);
  const owner = new OwnerKey(account.privateKey);
  const places = networkPlaces({ consumer });
  const [path, output] = [join(folder, 'file'), join(folder, 'restored')];
  const content = randomBytes(300_000);
  await writeFile(path, content);
  const options = { path, places, owner, journals: join(folder, 'journals'), now: Date.now(), rule: RULE };
  const { fileId } = await until('nine devices offer room', () =>
    store({ ...options, tokensAPlace: 200 }).catch(() => false as const),
  );
  const found = async (id: Hex32) => (await places.find(id)) ?? expect.unreachable('it is not stored');
  const restored = async (): Promise<boolean> => {
    await restore({ places, owner, file: await found(fileId), output, overwrite: true });
    return (await readFile(output)).equals(content);
  };
  const first = (await found(fileId)).holdings;
  expect(first.filter(({ healthy }) => healthy)).toHaveLength(6);
  expect(await restored()).toBe(true);
  const paid = async (device: Address) => (await network.books(owners.get(device) ?? '')).credited > 0n;
  await until('an audit pays', () => paid(first[0]?.device ?? '0x'), 60_000);

  const lost = first.slice(0, 3);
  for (const { device } of lost) await keepers.get(device)?.destroy();
  expect(await restored()).toBe(true);
  const healthy = async () => (await found(fileId)).holdings.filter((one) => one.healthy);
  await until('audits have found it', async () => (await healthy()).length === 3, 120_000);

  const helper = await Consumer.connect(network.url, repairer.privateKey);
  const helping = networkPlaces({ consumer: helper });
  const lease = await helper.client.call(API.leaseRepair, { body: {} });
  expect(lease?.file.fileId).toBe(fileId);
  expect(await repair({ places: helping, fileId, tokensAPlace: 50 })).toMatchObject({ replaced: 3, failed: 0 });
  expect(await helper.client.call(API.leaseRepair, { body: {} })).toBeNull();
  helping.close();
  const now = await healthy();
  expect(now).toHaveLength(6);
  expect(now.filter(({ device }) => lost.some((one) => one.device === device))).toEqual([]);

  for (const { device } of now.filter(({ device }) => first.some((one) => one.device === device))) {
    await keepers.get(device)?.destroy();
  }
  expect(await restored()).toBe(true);
  await places.drop(fileId);
  expect((await consumer.account()).held).toBe(0n);
  places.close();
}, 300_000);
