import { createHash, randomBytes, randomInt } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { OwnerKey } from '../../cli/vault/keys.ts';
import type { Place } from '../../cli/vault/places.ts';
import { repair } from '../../cli/vault/repair.ts';
import { restore } from '../../cli/vault/restore.ts';
import { store } from '../../cli/vault/store.ts';
import { sha256 } from '../../cli/vault/tokens.ts';
import { answersCommitment } from '../../core/audit.ts';
import { fromHex } from '../../core/keccak.ts';
import type { Hex32 } from '../../core/primitives.ts';
import { FolderPlaces } from '../support/folder-places.ts';
import { randomHex32 } from '../support/random.ts';
import { openIn, prove } from './audit/prover.ts';

/**
 * A file over 16 devices (folders), all in one process: stored, any six devices destroyed, restored, repaired, six more
 * destroyed, restored again: `--mib=1024`. Redundancy is what all devices hold for each byte of the file; repair traffic is what
 * went out of the devices that were left and into the new ones.
 */
const MIB = 1024 * 1024;
const mib = Number(process.argv.find((word) => word.startsWith('--mib='))?.split('=')[1] ?? 1024);
const DESTROYED = 6;

const root = await mkdtemp(join(tmpdir(), 'idlemesh-vault-bench-'));
const [path, output] = [join(root, 'file'), join(root, 'restored')];
const places = new FolderPlaces(join(root, 'devices'));
const owner = new OwnerKey(randomHex32());

const hashFile = async (file: string): Promise<string> => {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
};
function* noise(pieces: number): Generator<Buffer> {
  for (let piece = 0; piece < pieces; piece++) yield randomBytes(MIB);
}

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const begun = performance.now();
  const value = await work();
  return [value, Math.round((performance.now() - begun) / 10) / 100];
}

async function destroySome(fileId: Hex32): Promise<void> {
  const left: Place[] = [...places.placesOf(fileId)];
  for (let count = 0; count < DESTROYED; count++) {
    for (const place of left.splice(randomInt(left.length), 1)) await places.destroy(place);
  }
}
async function restored(fileId: Hex32): Promise<boolean> {
  const file = await places.find(fileId);
  if (file === null) return false;
  await restore({ places, owner, file, output, overwrite: true });
  return (await hashFile(output)) === original;
}
/** An audit of each place, old and new. */
async function auditsPass(fileId: Hex32): Promise<boolean> {
  let good = true;
  for (const place of places.placesOf(fileId)) {
    const { shards = [], tokens = [] } = places.sealed.get(place.agreementId) ?? {};
    const { seed, commitment } = tokens[randomInt(tokens.length)] ?? { seed: '0x', commitment: '0x' };
    const answer = await prove(shards, fromHex(seed), openIn(places.folderOf(place)));
    good &&= answersCommitment(answer, fromHex(commitment), sha256);
  }
  return good;
}

let original = '';
try {
  const bytes = mib * MIB;
  await pipeline(noise(mib), createWriteStream(path));
  original = await hashFile(path);
  const journals = join(root, 'journals');
  const [stored, storeSeconds] = await timed(() => store({ path, places, owner, journals, now: Date.now() }));
  const storeRssMiB = Math.round(process.resourceUsage().maxRSS / 1024);
  const { fileId } = stored;
  const redundancy = Math.round(((await places.keptBytes()) / bytes) * 1000) / 1000;
  await destroySome(fileId);
  const [first, restoreSeconds] = await timed(() => restored(fileId));
  const [repaired, repairSeconds] = await timed(() => repair({ places, fileId }));
  const audited = await auditsPass(fileId);
  await destroySome(fileId);
  const second = await restored(fileId);
  const inMiB = (amount: number): number => Math.round((amount / MIB) * 10) / 10;
  const figures = {
    ...{ identical: first, identicalAfterRepair: second, auditsPass: audited, redundancy },
    ...{
      repairedPlaces: repaired.replaced,
      repairDownMiB: inMiB(repaired.downBytes),
      repairUpMiB: inMiB(repaired.upBytes),
    },
    ...{ storeSeconds, restoreSeconds, repairSeconds, storeRssMiB },
    raw: { mib, devices: 16, destroyed: DESTROYED, cores: cpus().length },
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
  if (!(first && second && audited)) process.exitCode = 1;
} finally {
  await rm(root, { recursive: true, force: true });
}
