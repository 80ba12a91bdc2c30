import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fetchContent } from '../../../cli/edge/fetch.ts';
import { networkPlaces } from '../../../cli/edge/places.ts';
import { type Published, publishFolder } from '../../../cli/edge/publish.ts';
import { fail } from '../../../core/errors.ts';
import { ANYBODY } from '../../../core/grant.ts';
import { EdgeStage } from '../../support/edge-stage.ts';
import { until } from '../../support/wait.ts';

const MIB = 1024 * 1024;
const never = new AbortController().signal;

describe('publishing a folder and fetching it', () => {
  let stage: EdgeStage;
  let publisher: Awaited<ReturnType<EdgeStage['publisher']>>;
  let work: string;
  let folder: string;
  beforeAll(async () => {
    stage = await EdgeStage.start(4);
    publisher = await stage.publisher();
  }, 120_000);
  afterAll(() => stage.stop());
  beforeEach(async () => {
    work = await mkdtemp(join(tmpdir(), 'idlemesh-publish-'));
    folder = join(work, 'site');
  });
  afterEach(async () => {
    for (const edge of stage.edges) edge.instead = [];
    await rm(work, { recursive: true, force: true });
  });

  async function write(files: Readonly<Record<string, Uint8Array | string>>, below = folder): Promise<void> {
    for (const [path, data] of Object.entries(files)) {
      await mkdir(dirname(join(below, path)), { recursive: true });
      await writeFile(join(below, path), data);
    }
  }
  const site = () => ({
    'index.html': `<p>${randomBytes(16).toString('hex')}</p>`,
    'empty.txt': '',
    'big/film.bin': randomBytes(3 * MIB + 77),
    'big/日本/copy.bin': randomBytes(MIB),
    '.well-known/x': 'x',
  });
  const publish = (copies = 2, more: Partial<Parameters<typeof publishFolder>[0]> = {}): Promise<Published> =>
    publishFolder({ places: publisher.places, publisher: publisher.address, folder, copies, signal: never, ...more });
  const hashes = async (below: string): Promise<Record<string, string>> => {
    const entries = await readdir(below, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    const pairs = await Promise.all(
      files.map(async (path) => [
        path.slice(below.length + 1),
        createHash('sha256')
          .update(await readFile(path))
          .digest('hex'),
      ]),
    );
    return Object.fromEntries(pairs);
  };
  const fetchTo = (out: string, overwrite = false) => ({ folder: out, overwrite, signal: never });

  it('brings every byte to whom the publisher lets read it, and to nobody else', async () => {
    await write(site());
    const { content, devices, files } = await publish();
    expect([devices.length, files]).toEqual([2, 5]);
    const reader = await stage.reader();
    const places = networkPlaces(reader);
    await expect(stage.open(content, places, null)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const other = await publisher.grant(content, publisher.address);
    await expect(stage.open(content, places, other)).rejects.toMatchObject({ code: 'UNAUTHORISED' });
    const { reader: open, paid } = await stage.open(content, places, await publisher.grant(content, reader.address));
    const out = join(work, 'out');
    const { fetchedBytes, bytes } = await fetchContent(open, fetchTo(out));
    open.close();
    expect(await hashes(out)).toEqual(await hashes(folder));
    expect(fetchedBytes).toBe(bytes);
    // What was received and what was served is the same sum, told by either side.
    for (const [device, sum] of paid) {
      const { served } = stage.of(device);
      const ofThis = served.filter(({ session }) => session.consumer === reader.address && session.content === content);
      await until('what was served to be told', () => ofThis.reduce((all, one) => all + one.bytes, 0) === sum);
    }
    expect([...paid.values()].reduce((all, one) => all + one, 0)).toBeGreaterThan(bytes);
  });

  it('asks the devices themselves to judge a grant', async () => {
    await write(site());
    const { content, devices } = await publish(1);
    const reader = await stage.reader();
    const places = networkPlaces(reader);
    const [device] = devices;
    if (device === undefined) throw new Error('there is a device');
    const channel = await places.open(device, content, never);
    const ask = (grant: string | null, hash: string = content) =>
      channel.request({
        ...{ method: 'GET', path: `/v1/chunks/${hash}` },
        headers: { 'idlemesh-content': content, ...(grant === null ? {} : { 'idlemesh-grant': grant }) },
      });
    const good = await publisher.grant(content, reader.address);
    expect((await ask(good)).status).toBe(200);
    expect((await ask(await publisher.grant(content, ANYBODY))).status).toBe(200);
    await expect(ask(null)).rejects.toMatchObject({ code: 'REFUSED' });
    await expect(ask(await publisher.grant(content, reader.address, 1))).rejects.toMatchObject({
      code: 'UNAUTHORISED',
    });
    const stranger = await stage.publisher();
    // Signed as it should be, by somebody whose content it is not.
    await expect(ask(await stranger.grant(content, reader.address))).rejects.toMatchObject({ code: 'REFUSED' });
    const forged = good.replace(publisher.address, stranger.address);
    await expect(ask(forged)).rejects.toMatchObject({ code: 'UNAUTHORISED' });
    await expect(ask(good, `0x${'00'.repeat(32)}`)).rejects.toMatchObject({ code: 'REFUSED' });
    await expect(ask(good, 'http://example.com/')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(
      channel.request({
        method: 'PUT',
        path: `/v1/chunks/${content}`,
        headers: { 'idlemesh-content': content, 'content-length': '1' },
        body: Buffer.from('x'),
      }),
    ).rejects.toMatchObject({ code: expect.stringMatching(/BAD_INPUT|REFUSED/) });
    channel.close();
  });

  it('sends nothing that is there already, and goes on where it was broken off', async () => {
    await write(site());
    const first = await publish(1);
    let put = 0;
    const counting = {
      ...publisher.places,
      open: async (...asked: Parameters<typeof publisher.places.open>) => {
        const channel = await publisher.places.open(...asked);
        const request: typeof channel.request = (wanted) => {
          if (wanted.method === 'PUT') put += 1;
          return channel.request(wanted);
        };
        return { ...channel, request };
      },
    };
    expect(await publish(1, { places: counting })).toMatchObject({ content: first.content, devices: first.devices });
    // The list of files, and no chunk.
    expect(put).toBe(1);
    const out = join(work, 'out');
    const { reader } = await stage.open(first.content, publisher.places, null);
    const { signal } = new AbortController();
    const stopping = new AbortController();
    let asked = 0;
    const broken = fetchContent(
      { ...reader, chunk: (...wanted) => (++asked > 3 ? fail('CANCELLED', 'stopped') : reader.chunk(...wanted)) },
      { ...fetchTo(out), signal: stopping.signal },
    );
    await expect(broken).rejects.toMatchObject({ code: 'CANCELLED' });
    const rest = await fetchContent(reader, { ...fetchTo(out), signal });
    expect(rest.fetchedBytes).toBeLessThan(rest.bytes);
    expect(rest.fetchedBytes).toBeGreaterThan(0);
    expect(await hashes(out)).toEqual(await hashes(folder));
    expect((await fetchContent(reader, fetchTo(out))).fetchedBytes).toBe(0);
    // Its own copy of one file is somebody's work.
    await writeFile(join(out, 'index.html'), 'mine');
    await expect(fetchContent(reader, fetchTo(out))).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await readFile(join(out, 'index.html'), 'utf8')).toBe('mine');
    await fetchContent(reader, fetchTo(out, true));
    expect(await hashes(out)).toEqual(await hashes(folder));
    // A link that leads out of the folder is not followed.
    await rm(join(out, 'big'), { recursive: true });
    await mkdir(join(work, 'elsewhere'));
    await symlink(join(work, 'elsewhere'), join(out, 'big'));
    await expect(fetchContent(reader, fetchTo(out))).rejects.toMatchObject({ code: 'REFUSED' });
    expect(await readdir(join(work, 'elsewhere'))).toEqual([]);
    reader.close();
  });

  it('does without devices that are away, fail, or give something else', async () => {
    await write(site());
    const { content, devices } = await publish(3);
    expect(devices).toHaveLength(3);
    const [liar, away] = devices.map((device) => stage.of(device));
    if (liar === undefined || away === undefined) throw new Error('there are three devices');
    liar.instead = [
      {
        ...{ method: 'GET', path: '/v1/chunks/:hash' },
        // Of the right length, and wrong in the last byte.
        async handle({ params, headers }) {
          const name = { hash: params['hash'], content: headers['idlemesh-content'], publisher: publisher.address };
          const { body } = await liar.edge.door.get(name as Parameters<typeof liar.edge.door.get>[0]);
          const parts: Uint8Array[] = [];
          for await (const part of body) parts.push(part);
          const data = Buffer.concat(parts);
          data.writeUInt8(data.readUInt8(data.length - 1) ^ 1, data.length - 1);
          return { status: 200, body: data };
        },
      },
    ];
    away.instead = [{ method: 'GET', path: '/v1/chunks/:hash', handle: async () => fail('REFUSED', 'not now') }];
    // With the grant of anybody, by somebody who has not asked before.
    const reader = networkPlaces(await stage.reader());
    const { reader: open, lied, paid } = await stage.open(content, reader, await publisher.grant(content, ANYBODY));
    const out = join(work, 'out');
    await fetchContent(open, fetchTo(out));
    open.close();
    expect(await hashes(out)).toEqual(await hashes(folder));
    expect(new Set(lied)).toEqual(new Set([liar.address]));
    expect([...paid.keys()]).toEqual([devices[2]]);
  });

  it('puts a copy elsewhere when a device has no room, or breaks off', async () => {
    await write(site());
    const [full] = (await publish(4)).devices.map((device) => stage.of(device));
    if (full === undefined) throw new Error('there are devices');
    await write({ 'new.bin': randomBytes(2 * MIB) });
    full.instead = [{ method: 'PUT', path: '/v1/chunks/:hash', handle: async () => fail('DISK_FULL', 'no room') }];
    const failed: string[] = [];
    const published = await publish(3, { failed: (device) => void failed.push(device) });
    expect(published.devices).toHaveLength(3);
    expect(published.devices).not.toContain(full.address);
    for (const edge of stage.edges) edge.instead = full.instead;
    await write({ 'newer.bin': 'x' });
    await expect(publish(2)).rejects.toMatchObject({ code: 'DISK_FULL' });
  });

  it('refuses what cannot be published, and what changes meanwhile', async () => {
    await expect(publish()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await mkdir(folder);
    await expect(publish()).rejects.toMatchObject({ code: 'BAD_INPUT' });
    await write({ Readme: 'a', README: 'b' });
    await expect(publish()).rejects.toThrow(/one file/);
    await rm(join(folder, 'README'));
    await write({ 'aux.txt': 'a' });
    await expect(publish()).rejects.toThrow(/device on Windows/);
    await rm(join(folder, 'aux.txt'));
    await symlink('/etc/hostname', join(folder, 'link'));
    await expect(publish()).rejects.toThrow(/neither a file nor a folder/);
    await rm(join(folder, 'link'));
    const register: typeof publisher.places.register = async (order) => {
      await writeFile(join(folder, 'Readme'), 'other');
      return await publisher.places.register(order);
    };
    await expect(publish(1, { places: { ...publisher.places, register } })).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});
