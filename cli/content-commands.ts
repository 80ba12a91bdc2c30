import { SingleBar } from 'cli-progress';
import { type Command, InvalidArgumentError } from 'commander';
import { type Failure, fail, isFailure } from '../core/errors.ts';
import { type Address, hex32 } from '../core/primitives.ts';
import type { Consumer } from './consumer.ts';
import { type Connection, connect, connecting, days, plain, type Voice } from './consumer-commands.ts';
import { allow, type EdgeUse, fetchPublished, publish, serveGateway } from './edge/commands.ts';
import { payingPlaces } from './edge/paying.ts';
import { type EdgePayer, networkPlaces } from './edge/places.ts';
import { stopped } from './stop.ts';

const DAY_MS = 86_400_000;
const GATEWAY_PORT = 7_353;
/** To put something on devices costs nothing: who reads it pays. */
const NOBODY_PAYS: EdgePayer = { received: () => undefined, settle: async () => undefined };

const count = (most: number) => (text: string) => {
  if (!/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > most) {
    throw new InvalidArgumentError(`expected a number from 1 to ${most}`);
  }
  return Number(text);
};

/** With a bar on stderr for as long as it works. */
async function using<T>(
  options: Connection,
  voice: Voice,
  work: (use: EdgeUse) => Promise<T>,
  reads = false,
): Promise<T> {
  const consumer = await connect(options);
  const failed = (device: Address, { message }: Failure): void => voice.say(`${device}: ${message}`);
  const paths = reads ? await payingPlaces(consumer, failed) : { places: networkPlaces(consumer), payer: NOBODY_PAYS };
  const bar = new SingleBar({ format: '{bar} {percentage} % · {duration_formatted}', barsize: 30, hideCursor: true });
  let begun = false;
  try {
    return await work({
      ...{ places: paths.places, payer: paths.payer },
      ...{ account: consumer.address, sign: consumer.prove, signal: voice.stopSignal() },
      say(line) {
        if (begun) bar.stop();
        begun = false;
        voice.say(line);
      },
      progress(part) {
        if (!begun) bar.start(1, 0);
        begun = true;
        bar.update(part);
      },
    });
  } finally {
    if (begun) bar.stop();
  }
}

/** publish, allow, fetch, gateway. */
export function addContentCommands(program: Command, voice: Voice): void {
  const { answer, print } = voice;
  const publishing = program
    .command('publish <folder>')
    .description('put the files of a folder on devices that hand them out; its name follows from what is in it')
    .option('-c, --copies <number>', 'on how many devices', count(16), 3)
    .option('--json', 'print it as one JSON object', false);
  connecting(publishing).action(async (folder: string, options) => {
    const published = await using(options, voice, (use) => publish(use, folder, options.copies));
    if (options.json) answer(plain(published));
    else print(published.content);
  });

  const allowing = program
    .command('allow <content>')
    .description('print the word that lets somebody fetch what you published')
    .option('-r, --reader <address>', 'only this account; without it, whoever has the word')
    .option('--days <number>', 'for which it holds', days, 30);
  connecting(allowing).action(async (content: string, options) => {
    const until = Date.now() + options.days * DAY_MS;
    print(await using(options, voice, (use) => allow(use, content, options.reader ?? null, until)));
  });

  addFetch(program, voice);

  const gateway = program
    .command('gateway [words...]')
    .description('serve published content to programs on this machine over HTTP; every byte is checked first')
    .option('--port <number>', 'on loopback', count(65_535), GATEWAY_PORT);
  connecting(gateway).action(async (words: readonly string[], options) => {
    await using(
      options,
      voice,
      async (use) => {
        const serving = await serveGateway(use, words, options.port);
        await stopped(use.signal);
        await use.payer.settle();
        await serving.close();
      },
      true,
    );
  });
}

function addFetch(program: Command, voice: Voice): void {
  const fetching = program
    .command('fetch <id>')
    .description(
      'write the output of a job that is done, or published files: by their name, or by the word that allows it',
    )
    .requiredOption('-o, --out <path>', 'a file for the output of a job; a folder for published files')
    .option('--force', 'overwrite what is there', false);
  connecting(fetching).action(async (id: string, options) => {
    const consumer = await connect(options);
    if (await fetchOutput(consumer, id, options.out, options.force, voice)) return;
    await using(options, voice, (use) => fetchPublished(use, id, options.out, options.force), true);
  });
}

/** False: there is no job of that name. Throws CONFLICT for one without an output. */
async function fetchOutput(
  consumer: Consumer,
  id: string,
  out: string,
  overwrite: boolean,
  { say }: Voice,
): Promise<boolean> {
  const name = hex32.safeParse(id);
  if (!name.success) return false;
  try {
    const job = await consumer.job(name.data);
    if (job.outputHash === null) fail('CONFLICT', `the job has no output: it is ${job.state}`);
    await consumer.fetch(job.outputHash, out, { waiting: say }, { overwrite });
    say(`${out}: ${job.outputBytes ?? 0} bytes`);
    return true;
  } catch (error) {
    if (isFailure(error, 'NOT_FOUND')) return false;
    throw error;
  }
}
