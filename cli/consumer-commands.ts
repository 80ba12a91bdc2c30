import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { JOB_FILTERS, RIGHTS } from '../core/api-messages.ts';
import { fail } from '../core/errors.ts';
import { type Amount, formatTokens, parseTokens } from '../core/money.ts';
import { type Hex32, hex32 } from '../core/primitives.ts';
import type { JobView } from '../core/wire.ts';
import { orderBatch } from './batch.ts';
import { confirmed } from './confirm.ts';
import { Consumer } from './consumer.ts';
import { depositFee, depositTokens } from './deposit.ts';
import { readKeyFile } from './keyfile.ts';
import { defaultDataDir } from './paths.ts';

/** How the program speaks: sentences on stderr, answers on stdout. */
export type Voice = {
  readonly say: (line: string) => void;
  readonly answer: (value: unknown) => void;
  readonly print: (line: string) => void;
  readonly stopSignal: () => AbortSignal;
};

export type Connection = { readonly coordinator: string; readonly key: string; readonly apiKey?: string };

const pair = (text: string, before: Readonly<Record<string, string>>): Record<string, string> => {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('expected NAME=VALUE');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
};
const jobIdOf = (text: string): Hex32 => {
  const read = hex32.safeParse(text);
  return read.success ? read.data : fail('BAD_INPUT', `"${text}" is no job id; they begin with 0x`);
};
export const days = (text: string): number => {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError('expected a number of days');
  return Number(text);
};

export const coordinatorOption = (): Option =>
  new Option('--coordinator <url>', 'the network to talk to')
    .default('http://127.0.0.1:7350')
    .env('IDLEMESH_COORDINATOR');

export const connecting = (command: Command): Command =>
  command
    .addOption(coordinatorOption())
    .addOption(
      new Option('--key <file>', "the consumer's key file")
        .default(join(defaultDataDir('practice'), 'consumer.key'))
        .env('IDLEMESH_KEY'),
    )
    // Not an option of the line: what is on a command line can be read by every user of the machine.
    .addOption(new Option('--api-key <secret>').env('IDLEMESH_API_KEY').hideHelp());

export const connect = async ({ coordinator, key, apiKey }: Connection): Promise<Consumer> =>
  await Consumer.connect(
    coordinator,
    apiKey === undefined ? { privateKey: await readKeyFile(key, false) } : { apiKey },
  );

/** Amounts as decimal strings, for scripts. */
export const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? part.toString() : part)));

/** submit, status, cancel, deposit, balance, keys. */
export function addConsumerCommands(program: Command, voice: Voice): void {
  addSubmit(program, voice);
  addJobs(program, voice);
  addMoney(program, voice);
  addKeys(program, voice);
}

/** `submit WORKLOAD INPUT -o OUTPUT` is the form of version 0.1. */
function inputsOf(
  given: readonly string[],
  workload: string | undefined,
): { workload: string; inputs: readonly string[] } {
  if (workload !== undefined) return { workload, inputs: given };
  const [first, ...inputs] = given;
  if (first === undefined || inputs.length === 0) fail('BAD_INPUT', 'say which workload: --workload ID');
  return { workload: first, inputs };
}

function addSubmit(program: Command, { say, answer, stopSignal }: Voice): void {
  const command = program
    .command('submit <inputs...>')
    .description(
      'order a job for each file, or each file of a folder: idlemesh submit clips/ --workload transcode --out done/',
    )
    .option('-w, --workload <id>', 'what is to be done with them')
    .option('-p, --param <name=value>', 'a parameter of the workload (may be repeated)', pair, {})
    .option('-o, --out <path>', 'wait, and write the output there: a file, or a folder for several')
    .addOption(new Option('--output <file>').hideHelp())
    .option('--wait', 'wait until the jobs are over', false)
    .option('--force', 'overwrite outputs that are there', false)
    .option('--max-price <tokens>', 'order nothing if all of it may cost more')
    .option('--webhook <url>', 'where word is sent when a job is over')
    .option('-y, --yes', 'do not ask before ordering', false)
    .option('--json', 'print what came of it as one JSON object', false);
  connecting(command).action(async (given: string[], options) => {
    const { workload, inputs } = inputsOf(given, options.workload);
    const out: string | null = options.out ?? options.output ?? null;
    const signal = stopSignal();
    const results = await orderBatch({
      consumer: await connect(options),
      ...{ workload, inputs, out, params: options.param, signal, say, stream: process.stderr },
      maxPrice: options.maxPrice === undefined ? null : parseTokens(options.maxPrice),
      webhook: options.webhook ?? null,
      overwrite: options.force,
      wait: options.wait || out !== null,
      confirm: (question) => confirmed(question, options.yes || options.json),
    });
    if (options.json) answer(plain({ jobs: results }));
    for (const { input, jobId, state, failure, output } of options.json ? [] : results) {
      say([input, state, failure ?? output ?? jobId ?? ''].join(' · '));
    }
    const open = results.some(({ state }) => state === 'queued' || state === 'running' || state === 'verifying');
    if (open) say('The jobs go on. See: idlemesh status · fetch an output: idlemesh fetch ID --out FILE');
    if (results.some(({ failure }) => failure !== null)) process.exitCode = 1;
    else if (signal.aborted) process.exitCode = 130;
  });
}

function jobLines(job: JobView, symbol: string): readonly string[] {
  const tokens = (amount: Amount) => `${formatTokens(amount, 6, 2)} ${symbol}`;
  const cost = job.charged === null ? `at most ${tokens(job.hold)}` : tokens(job.charged);
  const more = job.failure ?? (job.outputBytes === null ? '' : `${job.outputBytes} bytes`);
  return [job.jobId, job.workload, `${job.state} ${Math.round(job.progress * 100)} %`, cost, more];
}

function addJobs(program: Command, { say, answer, print }: Voice): void {
  const status = program
    .command('status [id]')
    .description('a job, or your newest jobs')
    .addOption(new Option('--state <state>', 'only these').choices(JOB_FILTERS))
    .option('--before <position>', 'the page behind this one')
    .option('--json', 'print it as one JSON object', false);
  connecting(status).action(async (id: string | undefined, options) => {
    const consumer = await connect(options);
    const { tokenSymbol } = consumer.network;
    if (id !== undefined) {
      const job = await consumer.job(jobIdOf(id));
      return options.json ? answer(plain(job)) : print(jobLines(job, tokenSymbol).join(' · '));
    }
    const page = await consumer.jobs({ state: options.state, before: options.before });
    if (options.json) return answer(plain(page));
    for (const job of page.jobs) {
      print([new Date(job.createdAt).toISOString(), ...jobLines(job, tokenSymbol)].join(' · '));
    }
    if (page.next !== null) say(`There are more: idlemesh status --before ${page.next}`);
  });

  const cancel = program
    .command('cancel <id>')
    .description('end a job; what devices have computed is paid, the rest comes back')
    .option('--json', 'print it as one JSON object', false);
  connecting(cancel).action(async (id: string, options) => {
    const consumer = await connect(options);
    const job = await consumer.cancel(jobIdOf(id));
    if (options.json) answer(plain(job));
    else print(jobLines(job, consumer.network.tokenSymbol).join(' · '));
    if (job.state !== 'cancelled') say(`The job was over before: ${job.state}.`);
  });
}

function addMoney(program: Command, { say, answer, print }: Voice): void {
  const deposit = program
    .command('deposit <tokens>')
    .description('move tokens from your address into the deposit that pays for jobs')
    .option('-y, --yes', 'do not ask before', false);
  connecting(deposit).action(async (tokens: string, options) => {
    const amount = parseTokens(tokens);
    const key = await readKeyFile(options.key, false);
    const { network } = await Consumer.connect(options.coordinator, key);
    const fee = await depositFee(network, key, amount);
    say(
      `${tokens} ${network.tokenSymbol} in ${fee.transactions} transactions, at most ${formatTokens(fee.wei, 9)} coins in fees`,
    );
    if (!(await confirmed('Deposit?', options.yes))) fail('CANCELLED', 'nothing was moved');
    await depositTokens(network, key, amount);
    say(`deposited ${tokens} ${network.tokenSymbol}; the coordinator books it within seconds`);
  });

  const balance = program
    .command('balance')
    .description('what you can spend, and what is held for open jobs')
    .option('--json', 'print it as one JSON object', false);
  connecting(balance).action(async (options) => {
    const consumer = await connect(options);
    const found = await consumer.account();
    if (options.json) return answer(plain(found));
    const tokens = (amount: Amount) => `${formatTokens(amount, 6, 2)} ${consumer.network.tokenSymbol}`;
    print(`to spend  ${tokens(found.deposit)}`);
    print(`held      ${tokens(found.held)} for ${found.openJobs} open jobs`);
    print(`files     ${found.storedBytes} of ${found.maxStoredBytes} bytes`);
  });
}

function addKeys(program: Command, { say, answer, print }: Voice): void {
  const keys = program
    .command('keys')
    .description('API keys: credentials for programs, with rights and a cap of their own');
  const create = keys
    .command('create <name>')
    .description('make a key; its secret is printed this once')
    .addOption(new Option('--rights <rights...>', 'what it may do').choices(RIGHTS).default(['read', 'submit']))
    .option('--cap <tokens>', 'what its orders may cost together')
    .option('--days <number>', 'after which it ends', days)
    .option('--json', 'print it as one JSON object', false);
  connecting(create).action(async (name: string, options) => {
    const consumer = await connect(options);
    const made = await consumer.createKey({
      ...{ name, rights: options.rights },
      cap: options.cap === undefined ? null : parseTokens(options.cap),
      expiresAt: options.days === undefined ? null : Date.now() + options.days * 86_400_000,
    });
    if (options.json) return answer(plain(made));
    say(`Key ${made.key.id}. Keep the secret: it is not shown again. Give it to a program as IDLEMESH_API_KEY.`);
    print(made.secret);
  });
  connecting(keys.command('list').description('your keys')).action(async (options) => {
    const consumer = await connect(options);
    const { tokenSymbol } = consumer.network;
    for (const key of await consumer.keys()) {
      const cap = key.cap === null ? '' : ` of ${formatTokens(key.cap, 6, 2)}`;
      const spent = `spent ${formatTokens(key.spent, 6, 2)}${cap} ${tokenSymbol}`;
      const end = key.expiresAt === null ? 'no end' : `until ${new Date(key.expiresAt).toISOString()}`;
      print([key.id, key.name, key.rights.join(' + '), spent, key.revokedAt === null ? end : 'revoked'].join(' · '));
    }
  });
  connecting(keys.command('revoke <id>').description('end a key at once')).action(async (id: string, options) => {
    const key = await (await connect(options)).revokeKey(id);
    say(`The key ${key.id} (${key.name}) is revoked.`);
  });
}
