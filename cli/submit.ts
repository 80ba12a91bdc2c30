import { SingleBar } from 'cli-progress';
import { fail } from '../core/errors.ts';
import { formatTokens } from '../core/money.ts';
import type { JobView } from '../core/wire.ts';
import { Consumer, identify } from './consumer.ts';
import type { Patience } from './patience.ts';

export type SubmitOptions = {
  readonly workload: string;
  readonly input: string;
  readonly output: string;
  readonly params: Readonly<Record<string, string>>;
  readonly coordinator: string;
  readonly privateKey: string;
  /** Base units; null: whatever the posted price is. */
  readonly maxPrice: bigint | null;
  readonly say: (line: string) => void;
  readonly progressStream: NodeJS.WriteStream;
};

/** Quotes, orders, follows with a bar and writes the output. Throws REFUSED, INSUFFICIENT_FUNDS or WORKLOAD_FAILED. */
export async function submit(options: SubmitOptions): Promise<JobView> {
  const input = await identify(options.input);
  const consumer = await Consumer.connect(options.coordinator, options.privateKey);
  const quote = await consumer.quote(options.workload, input.bytes, options.params);
  const symbol = consumer.network.tokenSymbol;
  const tokens = (amount: bigint) => `${formatTokens(amount, 6, 2)} ${symbol}`;
  const { deposit } = await consumer.books();
  options.say(`${options.workload}: ${tokens(quote.price)} for each accepted copy, at most ${tokens(quote.hold)} held`);
  if (options.maxPrice !== null && quote.hold > options.maxPrice) {
    fail('REFUSED', `the price may reach ${tokens(quote.hold)}, above your limit; nothing was ordered`);
  }
  if (deposit < quote.hold) {
    fail('INSUFFICIENT_FUNDS', `your deposit is ${tokens(deposit)}; add to it with: idlemesh deposit AMOUNT`);
  }
  const job = await consumer.submit({ workload: options.workload, path: options.input, input, quote, now: Date.now() });
  const patience = { waiting: (detail: string) => options.say(`${detail} Your job goes on; waiting for an answer.`) };
  const last = await followWithBar(consumer, job, patience, options.progressStream);
  if (last.state !== 'done' || last.outputHash === null) {
    return fail('WORKLOAD_FAILED', `the job failed: ${last.failure ?? 'no reason given'}; your hold was returned`);
  }
  await consumer.fetch(last.outputHash, options.output, patience);
  options.say(`${options.output}: ${last.outputBytes ?? 0} bytes, paid ${tokens(last.charged ?? 0n)}`);
  return last;
}

async function followWithBar(
  consumer: Consumer,
  job: JobView,
  patience: Patience,
  stream: NodeJS.WriteStream,
): Promise<JobView> {
  const bar = new SingleBar({
    format: '{bar} {percentage} % · {state} · {duration_formatted}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 30,
    hideCursor: true,
    stream,
    noTTYOutput: true,
    notTTYSchedule: 5000,
  });
  bar.start(100, 0, { state: job.state });
  let last = job;
  try {
    for await (const view of consumer.follow(job, patience)) {
      last = view;
      bar.update(view.state === 'done' ? 100 : Math.min(99, Math.round(view.progress * 100)), { state: view.state });
    }
  } finally {
    bar.stop();
  }
  return last;
}
