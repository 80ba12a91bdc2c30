import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Consumer } from '../../../cli/consumer.ts';
import { API } from '../../../core/api.ts';
import { ANYBODY, grantText } from '../../../core/grant.ts';
import type { Address, Hex32 } from '../../../core/primitives.ts';
import type { ContentView } from '../../../core/wire-content.ts';
import { newAccount } from '../../support/chain.ts';
import { randomHex32, Signatory, type TestDevice } from '../../support/device.ts';
import { TestNetwork } from '../../support/network.ts';
import { until } from '../../support/wait.ts';

const GIB = 2 ** 30;
const ROOM = { freeBytes: GIB, usedBytes: GIB };

describe('published content', () => {
  let network: TestNetwork;
  let publisher: Consumer;
  let reader: Consumer;
  let signs: Signatory;
  const devices: TestDevice[] = [];
  beforeAll(async () => {
    network = await TestNetwork.start();
    const owner = newAccount();
    // Two of one owner, and three of others.
    for (const of of [owner, owner, newAccount(), newAccount(), newAccount()])
      devices.push(await network.device(0, of));
    const account = newAccount();
    signs = new Signatory(account, network.coordinator.network);
    publisher = await Consumer.connect(network.url, account.privateKey);
    reader = await Consumer.connect(network.url, newAccount().privateKey);
  }, 120_000);
  afterAll(() => network.stop());

  const offer = (device: TestDevice | undefined, room: typeof ROOM | null) =>
    device?.send({ type: 'edge-offer', offer: room });
  const publish = (content: Hex32, more: object = {}, who = publisher): Promise<ContentView> => {
    const body = { content, manifestBytes: 100, bytes: 1_000, chunks: 1, copies: 3, ...more };
    return who.client.call(API.publish, { body });
  };
  const chosen = (view: ContentView): readonly Address[] => view.devices.map(({ device }) => device);
  const ownersOf = (view: ContentView): readonly Address[] =>
    chosen(view).flatMap((device) =>
      devices.filter(({ key }) => key.address === device).map(({ owner }) => owner.address),
    );
  const settled = (content: Hex32, devicesWanted: number) =>
    until(`${devicesWanted} devices`, async () => {
      const view = await publish(content, { copies: devicesWanted });
      return view.devices.length === devicesWanted && view;
    });

  it('is put on devices that lend room, of owners that differ', async () => {
    expect((await publish(randomHex32())).devices).toEqual([]);
    for (const device of devices) offer(device, ROOM);
    const view = await settled(randomHex32(), 4);
    expect(new Set(ownersOf(view)).size).toBe(4);
    // There are four owners: a fifth copy has no place.
    expect((await publish(view.content, { copies: 5 })).devices).toHaveLength(4);
    expect(view).toMatchObject({ publisher: publisher.address, manifestBytes: 100, bytes: 1_000, chunks: 1 });
  });

  it('stays where it is when it is published again, and leaves those that are of no use', async () => {
    const first = await publish(randomHex32(), { copies: 2 });
    const again = await publish(first.content, { copies: 2 });
    expect([...chosen(again)].sort()).toEqual([...chosen(first)].sort());
    const [bad] = chosen(first);
    const other = await publish(first.content, { copies: 2, without: [bad] });
    expect(other.devices).toHaveLength(2);
    expect(chosen(other)).not.toContain(bad);
  });

  it('is put on devices that nobody can foresee', async () => {
    const sets = new Set<string>();
    for (let turn = 0; turn < 40 && sets.size < 3; turn++) {
      sets.add([...chosen(await publish(randomHex32(), { copies: 2 }))].sort().join());
    }
    expect(sets.size).toBe(3);
  });

  it('keeps away from devices that lend nothing, too little, or belong to its publisher', async () => {
    const [small, gone] = [devices[2], devices[3]];
    offer(small, { freeBytes: 50, usedBytes: 50 });
    offer(gone, null);
    const content = randomHex32();
    const fits = () => publish(content, { copies: 4, without: devices.map(({ key }) => key.address).slice(4) });
    await until('both to be left out', async () => {
      const view = await fits();
      return !chosen(view).some((one) => one === small?.key.address || one === gone?.key.address);
    });
    const owner = devices[4]?.ownerAccount ?? newAccount();
    const own = await Consumer.connect(network.url, owner.privateKey);
    const view = await publish(randomHex32(), { copies: 5 }, own);
    expect(chosen(view)).not.toContain(devices[4]?.key.address);
    expect(view.devices.length).toBe(1);
    for (const device of devices) offer(device, ROOM);
  });

  it('has one publisher and one size', async () => {
    const { content } = await publish(randomHex32());
    await expect(publish(content, {}, reader)).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(publish(content, { bytes: 1_001 })).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(publish(content, { copies: 0 })).rejects.toMatchObject({ code: 'BAD_INPUT' });
    await expect(publish(content, { manifestBytes: 2 ** 30 })).rejects.toMatchObject({ code: 'BAD_INPUT' });
  });

  it('is shown to its publisher, and to who was granted it', async () => {
    const { content } = await settled(randomHex32(), 2);
    const look = (who: Consumer, grant?: string) =>
      who.client.call(API.content, { params: { id: content }, query: { grant } });
    const granted = async (change: object = {}, by = signs) => {
      const value = {
        content,
        publisher: by.address,
        reader: reader.address,
        expiresAt: Date.now() + 60_000,
        ...change,
      };
      return grantText({ value, signature: await by.sign('Grant', value) });
    };
    expect((await look(publisher)).devices).toHaveLength(2);
    await expect(look(reader)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await look(reader, await granted())).devices).toHaveLength(2);
    expect((await look(reader, await granted({ reader: ANYBODY }))).publisher).toBe(publisher.address);
    const refused = [
      await granted({ expiresAt: Date.now() - 1 }),
      await granted({ content: randomHex32() }),
      await granted({ reader: newAccount().address }),
      await granted({}, new Signatory(newAccount(), network.coordinator.network)),
      (await granted({ reader: newAccount().address })).replace(/\.0x[0-9a-fA-F]{40}\.(\d)/, `.${reader.address}.$1`),
    ];
    for (const grant of refused) await expect(look(reader, grant)).rejects.toMatchObject({ code: 'UNAUTHORISED' });
    await expect(look(reader, 'nonsense')).rejects.toMatchObject({ code: 'BAD_INPUT' });
  });

  it('is told apart by whether its devices still lend', async () => {
    const { content } = await settled(randomHex32(), 4);
    const [first] = chosen(await publish(content));
    const device = devices.find(({ key }) => key.address === first);
    const look = () => publisher.client.call(API.content, { params: { id: content } });
    offer(device, null);
    const view = await until('the offer to be gone', async () => {
      const now = await look();
      return now.devices.some(({ lends }) => !lends) && now;
    });
    expect(view.devices.at(-1)).toEqual({ device: first, lends: false });
    // A new session has not lent anything yet.
    const other = devices.find(({ key }) => key.address === view.devices[0]?.device);
    await other?.hangUp();
    await other?.connect([]);
    await until('the offer to be gone with its session', async () => {
      return (await look()).devices.filter(({ lends }) => !lends).length === 2;
    });
  });

  it('outlives its coordinator', async () => {
    const { content } = await publish(randomHex32());
    await network.restart();
    const again = await Consumer.connect(network.url, newAccount().privateKey);
    await expect(publish(content, {}, again)).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});
