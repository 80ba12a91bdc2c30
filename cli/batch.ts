import { access, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { asFailure, fail } from '../core/errors.ts';
import { type Amount, formatTokens, sum } from '../core/money.ts';
import type { Hex32 } from '../core/primitives.ts';
import type { JobView, Quote } from '../core/wire.ts';
import { type Board, type Line, openBoard } from './board.ts';
import type { FileIdentity } from './client.ts';
import { type Consumer, identify } from './consumer.ts';
import type { Patience } from './patience.ts';

export type BatchOptions = {
  readonly consumer: Consumer;
  readonly workload: string;
  /** Files, or folders whose files are meant. */
  readonly inputs: readonly string[];
  readonly params: Readonly<Record<string, string>>;
  /** Base units for all jobs together; null: whatever the posted prices are. */
  readonly maxPrice: Amount | null;
  readonly webhook: string | null;
  /** Where outputs go: a file for one input, else a folder; null: they stay where they are. */
  readonly out: string | null;
  readonly overwrite: boolean;
  /** Follow the jobs until they are over. */
  readonly wait: boolean;
  /** Asked before anything is ordered. */
  readonly confirm: (question: string) => Promise<boolean>;
  readonly say: (line: string) => void;
  readonly stream: NodeJS.WriteStream;
  /** Leaves the jobs to themselves. */
  readonly signal: AbortSignal;
};

export type BatchResult = {
  readonly input: string;
  readonly jobId: Hex32 | null;
  readonly state: JobView['state'] | 'refused';
  readonly charged: Amount | null;
  readonly output: string | null;
  readonly failure: string | null;
};

type Planned = {
  readonly path: string;
  readonly input: FileIdentity;
  readonly quote: Quote;
  readonly output: string | null;
};

/** Files that are uploaded and ordered at once. */
const LANES = 4;

async function filesOf(input: string): Promise<readonly string[]> {
  const info = await stat(input).catch((error: unknown) =>
    fail('NOT_FOUND', `cannot read ${input}; check the name`, {}, error),
  );
  if (!info.isDirectory()) return [input];
  const entries = await readdir(input, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.')).map(({ name }) => name);
  if (names.length === 0) fail('NOT_FOUND', `there is no file in ${input}`);
  return names.sort().map((name) => join(input, name));
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );

/** Named before anything is ordered, so that no paid output finds its place taken. Throws CONFLICT. */
async function outputsOf(
  files: readonly string[],
  out: string | null,
  overwrite: boolean,
): Promise<readonly (string | null)[]> {
  if (out === null) return files.map(() => null);
  const folder = await isFolder(out);
  if (!folder && files.length > 1) fail('NOT_FOUND', `${out} is no folder; make it, or name another with --out`);
  const outputs = files.map((path) => (folder ? join(out, `${basename(path)}.out`) : out));
  if (new Set(outputs).size < outputs.length) fail('BAD_INPUT', 'two inputs have one name; order them apart');
  for (const path of overwrite ? [] : outputs) {
    const there = await access(path).then(
      () => true,
      () => false,
    );
    if (there) fail('CONFLICT', `${path} is there already; name another with --out, or say --force`, { path });
  }
  return outputs;
}

async function plan(options: BatchOptions): Promise<readonly Planned[]> {
  const { consumer, workload, params, out, overwrite } = options;
  const files = (await Promise.all(options.inputs.map(filesOf))).flat();
  const outputs = await outputsOf(files, out, overwrite);
  const planned: Planned[] = [];
  for (const [at, path] of files.entries()) {
    const input = await identify(path);
    planned.push({
      path,
      input,
      quote: await consumer.quote(workload, input.bytes, params),
      output: outputs[at] ?? null,
    });
  }
  return planned;
}

/** Says what it may cost, and asks. Throws REFUSED, INSUFFICIENT_FUNDS, CANCELLED. */
async function agree(options: BatchOptions, planned: readonly Planned[]): Promise<void> {
  const { consumer, maxPrice, say } = options;
  const tokens = (amount: Amount) => `${formatTokens(amount, 6, 2)} ${consumer.network.tokenSymbol}`;
  const hold = sum(planned.map(({ quote }) => quote.hold));
  const usual = sum(planned.map(({ quote }) => quote.price * BigInt(quote.copies)));
  const jobs = planned.length === 1 ? '1 job' : `${planned.length} jobs`;
  say(`${options.workload}: ${jobs}, ${tokens(usual)} when all goes well, at most ${tokens(hold)} held`);
  if (maxPrice !== null && hold > maxPrice) {
    fail('REFUSED', `the price may reach ${tokens(hold)}, above your limit; nothing was ordered`);
  }
  const { deposit } = await consumer.books();
  if (deposit < hold) {
    fail('INSUFFICIENT_FUNDS', `your deposit is ${tokens(deposit)}; add to it with: idlemesh deposit AMOUNT`);
  }
  if (!(await options.confirm('Order?'))) fail('CANCELLED', 'nothing was ordered');
}

/** Quotes, asks, orders every file, and follows and fetches where that is wanted. One that is refused does not stop the others. */
export async function orderBatch(options: BatchOptions): Promise<readonly BatchResult[]> {
  const planned = await plan(options);
  await agree(options, planned);
  const board = openBoard(options.stream, planned.length, options.say);
  try {
    const results: BatchResult[] = [];
    const waiting = planned.entries();
    const ordered = async (): Promise<void> => {
      for (const [at, one] of waiting) {
        if (options.signal.aborted) return;
        results[at] = await orderOne(options, board, one);
      }
    };
    // Who is waited for takes no lane from those that are still to be sent.
    const lanes = options.wait ? planned.length : LANES;
    await Promise.all(Array.from({ length: Math.min(lanes, planned.length, 64) }, ordered));
    return results.filter((one) => one !== undefined);
  } finally {
    board.close();
  }
}

async function orderOne(options: BatchOptions, board: Board, planned: Planned): Promise<BatchResult> {
  const { consumer, workload, webhook, signal, say } = options;
  const { path, input, quote } = planned;
  const line = board.line(basename(path));
  const patience = { signal, waiting: (detail: string) => say(`${detail} Your job goes on; waiting for an answer.`) };
  let job: JobView | null = null;
  try {
    const uploading = (bytes: number) => line.update(input.bytes === 0 ? 1 : bytes / input.bytes, 'uploading');
    const rest = webhook === null ? {} : { webhook };
    job = await consumer.submit({ workload, path, input, quote, now: Date.now(), uploading, ...rest }, patience);
    line.update(0, 'ordered');
    if (options.wait) job = await followed(consumer, job, patience, line);
    if (job.state === 'done') await fetched(options, planned, job, patience, line);
    line.done(job.state);
    return { ...told(planned, job), failure: job.failure };
  } catch (error) {
    if (signal.aborted && job !== null) return { ...told(planned, job), output: null, failure: null };
    const { message } = asFailure(error);
    line.done(`failed: ${message}`);
    return { ...told(planned, job), output: null, failure: message };
  }
}

const told = ({ path, output }: Planned, job: JobView | null): Omit<BatchResult, 'failure'> => ({
  input: path,
  jobId: job?.jobId ?? null,
  state: job?.state ?? 'refused',
  charged: job?.charged ?? null,
  output: job?.state === 'done' ? output : null,
});

async function followed(consumer: Consumer, job: JobView, patience: Patience, line: Line): Promise<JobView> {
  let last = job;
  for await (const view of consumer.follow(job, patience)) {
    last = view;
    line.update(view.progress, view.state);
  }
  return last;
}

async function fetched(
  { consumer, overwrite }: BatchOptions,
  { output }: Planned,
  job: JobView,
  patience: Patience,
  line: Line,
): Promise<void> {
  if (output === null || job.outputHash === null) return;
  const size = job.outputBytes ?? 0;
  const progress = (bytes: number) => line.update(size === 0 ? 1 : bytes / size, 'fetching');
  await consumer.fetch(job.outputHash, output, patience, { overwrite, progress });
}
