import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { API } from '../core/api.ts';
import { asFailure } from '../core/errors.ts';
import { MOST_MONTHS } from '../core/wire-storage.ts';
import { confirmed } from './confirm.ts';
import type { Consumer } from './consumer.ts';
import { type Connection, connect, connecting, type Voice } from './consumer-commands.ts';
import { readKeyFile } from './keyfile.ts';
import { defaultDataDir } from './paths.ts';
import { stopped } from './stop.ts';
import { listStored, removeFile, restoreFile, storeFile, type VaultUse } from './vault/commands.ts';
import type { ListedFile } from './vault/files.ts';
import { OwnerKey } from './vault/keys.ts';
import { networkPlaces } from './vault/network-places.ts';
import { repair } from './vault/repair.ts';

/** Before somebody who repairs looks again. */
const REPAIRS_AGAIN_MS = 60_000;

const months = (text: string): number => {
  if (!/^\d{1,2}$/.test(text) || Number(text) < 1 || Number(text) > MOST_MONTHS) {
    throw new InvalidArgumentError(`expected a number of months, 1 to ${MOST_MONTHS}`);
  }
  return Number(text);
};

type Using = Connection & { readonly months?: number };
async function using<T>(options: Using, voice: Voice, work: (use: VaultUse, consumer: Consumer) => Promise<T>) {
  const consumer = await connect(options);
  const owner = new OwnerKey(await readKeyFile(options.key, false));
  const term = options.months === undefined ? {} : { months: options.months };
  const places = networkPlaces({ consumer, ...term });
  const signal = voice.stopSignal();
  try {
    return await work({ places, owner, say: voice.say, progressStream: process.stderr, signal }, consumer);
  } finally {
    places.close();
  }
}

const shown = ({ fileId, manifest, keptBytes, availability }: ListedFile) => ({
  ...{ fileId, name: manifest?.name ?? null, bytes: manifest?.bytes ?? null, storedAt: manifest?.storedAt ?? null },
  ...{ keptBytes, healthy: availability.healthy, of: availability.of },
});

/** store, restore, ls, rm, repair. */
export function addFileCommands(program: Command, voice: Voice): void {
  const { answer, print } = voice;
  const storing = program
    .command('store <file>')
    .description('keep a file on other people’s machines: encrypted here, any 10 of 16 pieces bring it back')
    .option('--months <number>', 'for how long; it is held of your deposit', months, 1)
    .option('--json', 'print it as one JSON object', false);
  connecting(storing).action(async (path: string, options) => {
    await using(options, voice, async (use, consumer) => {
      // Next to nothing, and needed to go on where it was interrupted.
      const journals = join(defaultDataDir('stored'), consumer.address);
      const stored = await storeFile(use, path, journals, Date.now());
      if (options.json) answer(stored);
      else print(stored.fileId);
    });
  });

  const restoring = program
    .command('restore <file>')
    .description('bring a stored file back, by its name or id')
    .option('-o, --out <file>', 'where to; without it, under its own name here')
    .option('--force', 'overwrite a file that is there', false);
  connecting(restoring).action(async (wanted: string, options) => {
    await using(options, voice, (use) => restoreFile(use, wanted, options.out ?? null, options.force));
  });

  const listing = program
    .command('ls')
    .description('your stored files, and how many of their pieces are there')
    .option('--json', 'print them as one JSON object', false);
  connecting(listing).action(async (options) => {
    const files = await using(options, voice, listStored);
    if (options.json) return answer({ files: files.map(shown) });
    for (const file of files.map(shown)) {
      const stored = file.storedAt === null ? 'of another key' : new Date(file.storedAt).toISOString();
      const size = file.bytes === null ? '' : `${file.bytes} bytes`;
      const pieces = `${file.healthy} of ${file.of} pieces`;
      print([file.name ?? file.fileId, size, pieces, stored, file.fileId].join(' · '));
    }
  });

  const removing = program
    .command('rm <file>')
    .description('end the storing of a file, by its name or id; what is left of its price comes back')
    .option('-y, --yes', 'do not ask before', false);
  connecting(removing).action(async (wanted: string, options) => {
    if (!(await confirmed(`Remove ${wanted} from the network?`, options.yes))) return;
    await using(options, voice, (use) => removeFile(use, wanted));
  });

  const repairing = program
    .command('repair')
    .description(
      'make lost pieces of stored files anew, as an account that the network trusts with it; needs no key of theirs',
    )
    .option('--watch', 'go on until it is stopped', false);
  connecting(repairing).action(async (options) => {
    await using(options, voice, (use, consumer) => repairAll(use, consumer, options.watch));
  });
}

async function repairAll(use: VaultUse, consumer: Consumer, watch: boolean): Promise<void> {
  const signal = use.signal ?? new AbortController().signal;
  while (!signal.aborted) {
    const lease = await consumer.client.call(API.leaseRepair, { body: {} });
    if (lease !== null) {
      const { fileId } = lease.file;
      try {
        const { replaced, failed, downBytes, upBytes } = await repair({ places: use.places, fileId, signal });
        use.say(
          `${fileId}: ${replaced} pieces made anew, ${failed} failed; ${downBytes} bytes read, ${upBytes} written`,
        );
      } catch (error) {
        use.say(`${fileId}: ${asFailure(error).message}`);
        if (!watch) throw error;
      }
      continue;
    }
    if (!watch) return use.say('nothing is to be repaired now');
    await Promise.race([stopped(signal), new Promise((resolve) => setTimeout(resolve, REPAIRS_AGAIN_MS).unref())]);
  }
}
