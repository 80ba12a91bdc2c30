import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { lstat, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../agent/adapters/clock.ts';
import { dockerContainers } from '../../../agent/adapters/docker.ts';
import { makeStoreFolder, placeKeyOf } from '../../../agent/adapters/store-folder.ts';
import { createServiceKeeper, type ServiceKeeper, type Wanted } from '../../../agent/services.ts';
import { type VaultDoor, vaultDoor } from '../../../agent/vault-door.ts';
import type { CatalogueEntry } from '../../../core/catalogue.ts';
import { sha256, toHex } from '../../../core/keccak.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import { LABEL, limitUpdate } from '../../../core/sandbox.ts';
import { storeName } from '../../../core/stores.ts';
import { buildImage } from '../../support/build-image.ts';
import { readAll } from '../../support/edge.ts';
import { randomAddress, randomHex32 } from '../../support/random.ts';
import { doorImage, seccompProfile, workload } from '../../support/transcode.ts';
import { until } from '../../support/wait.ts';

const MIB = 1024 * 1024;
const SHARE = { cpuCores: 1, memoryBytes: 512 * MIB, pids: 64 };
const device = randomAddress();
const containers = dockerContainers({ log: () => undefined });
const stores = new Set<string>();
const keepers: ServiceKeeper[] = [];
let entry: CatalogueEntry;
let supervisor = '';
let profile = '';
let folder = '';

beforeAll(async () => {
  await buildImage(join(import.meta.dirname, '../../../workloads/vault'), 'idlemesh/vault:0.1.0');
  [entry, supervisor, profile] = await Promise.all([workload('vault'), doorImage(), seccompProfile()]);
  folder = await mkdtemp(join(tmpdir(), 'idlemesh-lent-'));
}, 300_000);
afterAll(async () => {
  for (const keeper of keepers) await keeper.close();
  for (const name of stores) await containers.dropStore(name);
  containers.close();
  await rm(folder, { recursive: true, force: true });
});

function keep(): ServiceKeeper {
  const ports = {
    ...{ clock: systemClock, containers, home: '/nowhere', log: () => undefined },
    ...{ random: { hex32: randomHex32 }, seccompProfile: profile },
  };
  const keeper = createServiceKeeper({
    ...{ ports, device, instance: 'keeper' },
    prepare: async (service) => void (await vaultDoor(service).resize(8 * MIB)),
    changed: () => undefined,
    doubtEngine: () => undefined,
  });
  keepers.push(keeper);
  return keeper;
}

const wanted = (picked: string | null, share = SHARE): Wanted => {
  const name = storeName(device, 'vault', placeKeyOf(picked));
  stores.add(name);
  const store = async () => {
    const inner = picked === null ? null : await makeStoreFolder(picked, 'vault');
    return await containers.store({ name, device, folder: inner });
  };
  return { entry, launch: { door: supervisor }, share, store, place: name };
};

async function served(keeper: ServiceKeeper): Promise<VaultDoor> {
  await until('it serves', () => keeper.state().kind === 'serving', 60_000);
  const service = keeper.service();
  if (service === null) throw new Error('it says that it serves, and has no service');
  return vaultDoor(service);
}
async function* once(data: Uint8Array) {
  yield data;
}
const shardOf = (data: Uint8Array) => ({ hash: toHex(sha256(data)) as Hex32, bytes: data.length });
const put = (door: VaultDoor, data: Uint8Array) => door.put(shardOf(data), once(data));
const docker = (...args: string[]) => execFileSync('docker', args, { encoding: 'utf8' }).trim();
const containerOf = (keeper: ServiceKeeper) => docker('ps', '-q', '--filter', `label=${LABEL.lease}=${keeper.id()}`);

test('the vault is kept running: killed, it comes back with all it had; not wanted, it ends and leaves its store', async () => {
  const keeper = keep();
  keeper.want(wanted(null));
  const data = randomBytes(3 * MIB);
  await put(await served(keeper), data);
  const first = keeper.id();

  docker('kill', '-s', 'KILL', containerOf(keeper));
  await until('its end is seen', () => keeper.id() !== first, 60_000);
  const again = await served(keeper);
  expect((await readAll(await again.get(shardOf(data)))).equals(data)).toBe(true);

  keeper.want(null);
  await until('it is off', () => keeper.state().kind === 'off', 60_000);
  expect(docker('ps', '-aq', '--filter', `label=${LABEL.device}=${device}`)).toBe('');

  const next = keep();
  next.want(wanted(null));
  expect(await (await served(next)).list()).toEqual([shardOf(data)]);
  await next.close();
}, 180_000);

test('it has no network and writes to nothing but its store, and a smaller share takes effect while it runs', async () => {
  const keeper = keep();
  keeper.want(wanted(null));
  await served(keeper);
  const id = containerOf(keeper);
  const [spec] = JSON.parse(docker('inspect', id));
  expect(spec.HostConfig).toMatchObject({ NetworkMode: 'none', ReadonlyRootfs: true, CapDrop: ['ALL'] });
  const writable = spec.Mounts.filter(({ RW }: { RW: boolean }) => RW);
  expect(writable).toMatchObject([{ Type: 'volume', Destination: '/vault' }]);
  keeper.want(wanted(null, { ...SHARE, cpuCores: 0.25 }));
  const less = limitUpdate(entry, { ...SHARE, cpuCores: 0.25 }).CpuQuota;
  await until('it has less', () => docker('inspect', '-f', '{{.HostConfig.CpuQuota}}', id) === String(less));
  await keeper.close();
}, 120_000);

test('on the drive that the owner picked its shards lie in a folder that nobody else can enter', async () => {
  const keeper = keep();
  keeper.want(wanted(folder));
  const data = randomBytes(100_000);
  const { hash } = shardOf(data);
  await put(await served(keeper), data);
  const outer = join(folder, 'idlemesh-storage');
  expect((await lstat(outer)).mode & 0o077).toBe(0);
  expect(await readdir(join(outer, 'vault', 'shards', hash.slice(2, 4)))).toEqual([hash.slice(2)]);
  await keeper.close();
}, 120_000);

test('a link in the place of its folder is refused, and another volume of its name too', async () => {
  const elsewhere = await mkdtemp(join(tmpdir(), 'idlemesh-elsewhere-'));
  try {
    const picked = join(elsewhere, 'picked');
    await mkdir(picked);
    await symlink(folder, join(picked, 'idlemesh-storage'));
    await expect(makeStoreFolder(picked, 'vault')).rejects.toMatchObject({ code: 'REFUSED' });
  } finally {
    await rm(elsewhere, { recursive: true, force: true });
  }
  const name = storeName(device, 'foreign', '');
  docker('volume', 'create', name);
  stores.add(name);
  await expect(containers.store({ name, device, folder: null })).rejects.toMatchObject({ code: 'REFUSED' });
}, 60_000);

test('one that cannot be started is tried again later, and says why', async () => {
  const keeper = keep();
  keeper.want({ ...wanted(null), store: () => Promise.reject(new Error('the drive is not there')) });
  await until('it has failed', () => keeper.state().kind === 'failed');
  expect(keeper.state()).toMatchObject({ detail: expect.stringContaining('the drive is not there') });
  expect(keeper.service()).toBeNull();
  await keeper.close();
  expect(keeper.state().kind).toBe('off');
}, 60_000);
