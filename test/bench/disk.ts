import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../../agent/adapters/clock.ts';
import { dockerContainers } from '../../agent/adapters/docker.ts';
import { makeStoreFolder } from '../../agent/adapters/store-folder.ts';
import { createServiceKeeper } from '../../agent/services.ts';
import { createShaper } from '../../agent/shaper.ts';
import { type VaultDoor, vaultDoor } from '../../agent/vault-door.ts';
import { AUDIT } from '../../core/audit.ts';
import type { Hex32 } from '../../core/primitives.ts';
import { defaultSettings } from '../../core/settings.ts';
import { storeName } from '../../core/stores.ts';
import { flowOf } from '../../core/traffic.ts';
import { ensurePackages } from '../../scripts/lib/system.mjs';
import { buildImage } from '../support/build-image.ts';
import { randomAddress, randomHex32 } from '../support/random.ts';
import { doorImage, workload } from '../support/transcode.ts';
import { until } from '../support/wait.ts';
import { percentile } from './yield/figures.ts';

/**
 * What a game's disk loses while the vault serves beside it, as it does while the owner plays: shards come and go at the busy rates of a new
 * installation, an audit every two seconds, the vault's own reading of all it has. fio's random 4 KiB reads and writes (three to one, past the
 * page cache) on the same file system, with the vault and without it in turns: `--turns=7 --seconds=8`.
 */
const option = (name: string, fallback: number): number =>
  Number(process.argv.find((word) => word.startsWith(`--${name}=`))?.split('=')[1] ?? fallback);
const MIB = 1024 * 1024;
const SHARD_BYTES = MIB;
const SHARDS = 256;
const AUDIT_EVERY_MS = 2_000;
const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');

type Fio = {
  readonly jobs: readonly { readonly read: { readonly iops: number }; readonly write: { readonly iops: number } }[];
};

/** Reads and writes a second, together. */
async function fio(folder: string): Promise<number> {
  const { stdout } = await run('fio', [
    ...['--name=game', `--directory=${folder}`, '--size=256M', '--rw=randrw', '--rwmixread=75', '--bs=4k'],
    ...['--direct=1', '--ioengine=psync', '--numjobs=1', '--time_based', `--runtime=${option('seconds', 8)}`],
    ...['--randrepeat=0', '--output-format=json'],
  ]);
  return (JSON.parse(stdout) as Fio).jobs.reduce((sum, { read, write }) => sum + read.iops + write.iops, 0);
}

const shardOf = (data: Uint8Array) => ({
  hash: `0x${createHash('sha256').update(data).digest('hex')}` as Hex32,
  bytes: data.length,
});
async function* pieces(data: Uint8Array): AsyncGenerator<Uint8Array> {
  yield data;
}

/** Serves until it is told to stop. Answers what passed, bytes. */
function serve(door: VaultDoor, shards: readonly ReturnType<typeof shardOf>[]) {
  const { busyDownMbps, busyUpMbps } = defaultSettings().limits.network;
  const shapers = { in: createShaper(systemClock), out: createShaper(systemClock) };
  shapers.in.limit(flowOf(busyDownMbps));
  shapers.out.limit(flowOf(busyUpMbps));
  let stopped = false;
  let passed = 0;
  const each = async (work: () => Promise<void>): Promise<void> => {
    while (!stopped) await work();
  };
  const [incoming, outgoing] = [shapers.in.stream(), shapers.out.stream()];
  const working = Promise.all([
    each(async () => {
      const data = randomBytes(SHARD_BYTES);
      await door
        .put(
          shardOf(data),
          (async function* () {
            for (let at = 0; at < data.length && !stopped; at += 16_384) {
              await incoming(16_384);
              yield data.subarray(at, at + 16_384);
            }
          })(),
        )
        .catch((error: unknown) => void (stopped || Promise.reject(error)));
      await door.remove(shardOf(data).hash);
      passed += data.length;
    }),
    each(async () => {
      const shard = shards[Math.floor(Math.random() * shards.length)];
      if (shard === undefined) return;
      for await (const part of await door.get(shard)) {
        for (let at = 0; at < part.length && !stopped; at += 16_384) await outgoing(Math.min(16_384, part.length - at));
        passed += part.length;
      }
    }),
    each(async () => {
      await door.audit({ shards, seed: randomHex32(), blocks: AUDIT.blocks, blockBytes: AUDIT.blockBytes });
      await new Promise((resolve) => setTimeout(resolve, AUDIT_EVERY_MS));
    }),
  ]);
  return async (): Promise<number> => {
    stopped = true;
    shapers.in.limit(flowOf(null));
    shapers.out.limit(flowOf(null));
    await working;
    shapers.in.close();
    shapers.out.close();
    return passed;
  };
}

await ensurePackages(['fio'], 'Measuring the disk', 'Install fio and run this again.');
const folder = await mkdtemp(join(tmpdir(), 'idlemesh-disk-'));
const containers = dockerContainers({ log: () => undefined });
const device = randomAddress();
const name = storeName(device, 'vault', 'bench');
await buildImage(join(root, 'workloads/vault'), 'idlemesh/vault:0.1.0');
const [entry, door] = await Promise.all([workload('vault'), doorImage()]);
const keeper = createServiceKeeper({
  ports: {
    ...{ clock: systemClock, containers, home: '/nowhere', log: () => undefined, random: { hex32: randomHex32 } },
    seccompProfile: await readFile(join(root, 'resources/seccomp.json'), 'utf8'),
  },
  ...{ device, instance: randomHex32(), changed: () => undefined, doubtEngine: () => undefined },
  prepare: async (service) => void (await vaultDoor(service).resize(1024 * MIB)),
});
try {
  const share = { cpuCores: 0.5, memoryBytes: 256 * MIB, pids: 64 };
  const store = async () => containers.store({ name, device, folder: await makeStoreFolder(folder, 'vault') });
  keeper.want({ entry, launch: { door }, share, store, place: name });
  const service = await until('the vault serves', () => keeper.service(), 60_000);
  const vault = vaultDoor(service);
  const shards: ReturnType<typeof shardOf>[] = [];
  for (let count = 0; count < SHARDS; count++) {
    const data = randomBytes(SHARD_BYTES);
    await vault.put(shardOf(data), pieces(data));
    shards.push(shardOf(data));
  }
  await fio(folder);
  const [alone, beside]: [number[], number[]] = [[], []];
  let servedBytes = 0;
  for (let turn = 0; turn < option('turns', 7); turn++) {
    alone.push(await fio(folder));
    const stop = serve(vault, shards);
    beside.push(await fio(folder));
    servedBytes += await stop();
  }
  const [aloneIops, besideIops] = [percentile(alone, 50), percentile(beside, 50)].map(Math.round);
  const lossPct = Math.round((1 - (besideIops ?? 0) / (aloneIops ?? 1)) * 1_000) / 10;
  process.stdout.write(
    `${JSON.stringify({ lossPct, aloneIops, besideIops, servedMiB: Math.round(servedBytes / MIB), cores: cpus().length, turns: { alone, beside } })}\n`,
  );
} finally {
  await keeper.close();
  await containers.dropStore(name);
  containers.close();
  await rm(folder, { recursive: true, force: true });
}
