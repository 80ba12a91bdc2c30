import { cpus } from 'node:os';
import { Worker } from 'node:worker_threads';
import { verifyTypedData } from 'ethers';
import { fastKeccak } from '../../coordinator/keccak.ts';
import { SignatureChecks } from '../../coordinator/signature-checks.ts';
import { fieldsOf } from '../../core/typed-data.ts';
import { DOMAIN, type Message, newKey, validMessage } from './reports/messages.ts';
import { storeRounds } from './reports/store.ts';
import type { Compared } from './reports/verdicts.ts';
import { percentile } from './yield/figures.ts';

/**
 * How many signed reports a second are checked, beside ethers' `verifyTypedData` on the same messages in turns
 * (`--rounds=9`, `--each=400`); whether the verdicts are the same on many, half of them changed in all ways that
 * reports/messages.ts lists (`--messages=100000`); and how many are stored durably (`--devices=200`, `--reports=20` of each,
 * `--items=5`, `--storing=3` rounds).
 */
const option = (name: string, fallback: number): number =>
  Number(process.argv.find((word) => word.startsWith(`--${name}=`))?.split('=')[1] ?? fallback);
const [ROUNDS, EACH, MESSAGES] = [option('rounds', 9), option('each', 400), option('messages', 100_000)];
const PEERS = 20;

const checks = new SignatureChecks(DOMAIN, await fastKeccak());
const peers = Array.from({ length: PEERS }, () => ({}));
const rate = (count: number, begun: number): number => (count * 1000) / (performance.now() - begun);

/** As sessions ask for it, which yields to whatever else there is. */
async function ours(messages: readonly Message[]): Promise<number> {
  const begun = performance.now();
  await Promise.all(
    messages.map(({ value, signature }, at) =>
      checks.check(peers[at % PEERS] ?? peers, 'Report', value, signature, value.device),
    ),
  );
  return rate(messages.length, begun);
}

function theirs(messages: readonly Message[]): number {
  const types = fieldsOf('Report');
  const begun = performance.now();
  for (const { domain, value, signature } of messages) {
    if (verifyTypedData(domain, types, value, signature).toLowerCase() !== value.device) throw new Error('not signed');
  }
  return rate(messages.length, begun);
}

const fresh = (): readonly Message[] => {
  const key = newKey();
  return Array.from({ length: EACH }, () => validMessage(key));
};

const compare = (messages: number): Promise<Compared> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./reports/verdicts.ts', import.meta.url), { workerData: messages });
    worker.on('message', resolve);
    worker.on('error', reject);
  });

const warm = fresh();
await ours(warm);
theirs(warm);
const [mine, its]: [number[], number[]] = [[], []];
for (let round = 0; round < ROUNDS; round++) {
  const messages = fresh();
  mine.push(await ours(messages));
  its.push(theirs(messages));
}
const stored = await storeRounds({
  ...{ devices: option('devices', 200), each: option('reports', 20), items: option('items', 5) },
  rounds: option('storing', 3),
});
const parts = await Promise.all(cpus().map(() => compare(Math.ceil(MESSAGES / cpus().length))));
const kinds: Record<string, readonly [number, number]> = {};
for (const part of parts) {
  for (const [kind, [seen, named]] of Object.entries(part.kinds)) {
    const [before, namedBefore] = kinds[kind] ?? [0, 0];
    kinds[kind] = [before + seen, namedBefore + named];
  }
}
const differing = parts.flatMap((part) => part.differing);
const whole = (values: readonly number[]): number[] => values.map(Math.round);
const ratios = mine.map((one, round) => one / (its[round] ?? 0));
const figures = {
  ...{ checkedPerSecond: Math.round(percentile(mine, 50)), storedPerSecond: Math.round(percentile(stored, 50)) },
  ...{ ratio: Math.round(percentile(ratios, 50) * 10) / 10, mismatches: differing.length },
  raw: {
    ...{ checked: whole(mine), ethers: whole(its), stored: whole(stored), cores: cpus().length },
    ...{ messages: parts.reduce((sum, part) => sum + part.messages, 0), differing: differing.slice(0, 20) },
    /** Of each kind: how many, and how many name a signer. */
    kinds,
  },
};
process.stdout.write(`${JSON.stringify(figures)}\n`);
