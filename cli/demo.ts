import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Agent, OpenedAgent } from '../agent/api.ts';
import { fail } from '../core/errors.ts';
import { formatTokens } from '../core/money.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { epoch } from '../core/wire.ts';
import { openHeadlessAgent } from './agent.ts';
import type { SignedCatalogue } from './catalogue.ts';
import { makeClip } from './clips.ts';
import type { Logger } from './log.ts';
import { PRACTICE_DEPOSIT, PRACTICE_LEASE_MS, type Practice, startPractice } from './practice.ts';
import { submit } from './submit.ts';

export type DemoResult = {
  readonly jobs: number;
  readonly reports: number;
  readonly receipts: number;
  readonly epoch: number;
  readonly root: string;
  readonly earned: string;
  readonly claimed: string;
  readonly balance: string;
  readonly seconds: number;
};

const JOBS = 2;
const CLIP_SECONDS = 8;

/**
 * The whole loop on a fresh practice network with two devices of different owners, so that every result is checked by a
 * replica: order, run, compare, report, receipt, epoch, root, claim. The figures are the first device's.
 */
export async function demo(options: {
  readonly catalogue: SignedCatalogue;
  readonly catalogueFile: string;
  readonly catalogueKeysFile: string;
  readonly image: string;
  readonly say: (line: string) => void;
  readonly log: Logger;
}): Promise<DemoResult> {
  const { say, log } = options;
  const started = performance.now();
  const dir = await mkdtemp(join(tmpdir(), 'idlemesh-demo-'));
  const closing: (() => Promise<void>)[] = [() => rm(dir, { recursive: true, force: true })];
  try {
    const clip = await makeClip(join(dir, 'clips'), options.image, 1, CLIP_SECONDS);
    const practice = await startPractice({
      dataDir: join(dir, 'network'),
      port: 0,
      catalogue: options.catalogue,
      replicas: 1,
      reportEveryMs: 2000,
      epochEveryMs: 2000,
      leaseMs: PRACTICE_LEASE_MS,
      log,
    });
    closing.push(practice.close);
    say(`practice network on ${practice.coordinator.url}`);
    await practice.ensureDeposit(PRACTICE_DEPOSIT);

    const [first, second] = await Promise.all(
      ['first', 'second'].map(async (name): Promise<OpenedAgent> => {
        const opened = await openHeadlessAgent({
          dataDir: join(dir, name),
          catalogueFile: options.catalogueFile,
          catalogueKeysFile: options.catalogueKeysFile,
          coordinatorUrl: practice.coordinator.url,
          mode: 'now',
          // To each device the work of the other is somebody else's.
          rules: { cpuBusyPercent: null },
          log,
        });
        closing.push(opened.agent.stop);
        await opened.agent.start();
        return opened;
      }),
    );
    if (first === undefined || second === undefined) return fail('INTERNAL', 'the demo needs two devices');
    say(`device ${first.device} of owner ${first.owner}, and ${second.device} as its replica`);

    await runJobs(practice, clip, dir, say);
    return await collect(first.agent, practice, say, started);
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

async function runJobs(practice: Practice, clip: string, dir: string, say: (line: string) => void): Promise<void> {
  for (let job = 0; job < JOBS; job++) {
    await submit({
      workload: 'transcode',
      input: clip,
      output: join(dir, `out-${job}.mp4`),
      params: { height: job === 0 ? '240' : '360' },
      coordinator: practice.coordinator.url,
      privateKey: practice.consumerKey,
      maxPrice: null,
      say,
      progressStream: process.stderr,
    });
  }
}

async function collect(
  agent: Agent,
  practice: Practice,
  say: (line: string) => void,
  started: number,
): Promise<DemoResult> {
  const published = await until(
    agent,
    ({ earnings }) =>
      earnings.jobsToday === JOBS && earnings.verifying === 0n && earnings.published === earnings.credited,
    'the epoch with the last credit',
  );
  const { credited } = published.earnings;
  say(`earned ${formatTokens(credited)}; withdrawing`);
  const answer = await agent.commands.withdraw({ recipient: null });
  if (!answer.ok) fail(answer.failure.code, answer.failure.message);
  const done = await until(
    agent,
    ({ wallet }) => wallet?.withdrawal.kind === 'failed' || wallet?.withdrawal.kind === 'done',
    'the withdrawal',
  );
  const withdrawal = done.wallet?.withdrawal;
  if (withdrawal?.kind === 'failed') fail(withdrawal.failure.code, withdrawal.failure.message);
  const { wallet } = await until(
    agent,
    (snapshot) => snapshot.earnings.claimed === credited && snapshot.wallet?.balance !== 'unknown',
    'the balance',
  );
  const history = await agent.commands.earnings({ before: null, limit: 200 });
  if (!history.ok) return fail(history.failure.code, history.failure.message);
  const entries = history.value.entries;
  const sequences = (list: typeof entries) => new Set(list.flatMap((entry) => entry.report ?? [])).size;
  const latest = epoch.parse(await (await fetch(`${practice.coordinator.url}/v1/epochs/latest`)).json());
  return {
    jobs: entries.length,
    reports: sequences(entries),
    receipts: sequences(entries.filter((entry) => entry.state === 'credited' || entry.state === 'refused')),
    epoch: latest.epoch,
    root: latest.root,
    earned: credited.toString(),
    claimed: withdrawal?.kind === 'done' ? withdrawal.amount.toString() : '0',
    balance: String(wallet?.balance ?? 'unknown'),
    seconds: Math.round((performance.now() - started) / 100) / 10,
  };
}

const WAIT_MS = 120_000;

/** The first snapshot that satisfies `wanted`. Throws TIMEOUT naming `what`. */
function until(agent: Agent, wanted: (snapshot: Snapshot) => boolean, what: string): Promise<Snapshot> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stop();
      try {
        fail('TIMEOUT', `waited ${WAIT_MS / 1000} s for ${what}`);
      } catch (error) {
        reject(error);
      }
    }, WAIT_MS);
    const look = (snapshot: Snapshot): void => {
      if (!wanted(snapshot)) return;
      clearTimeout(timer);
      stop();
      resolve(snapshot);
    };
    const stop = agent.onSnapshot(look);
    look(agent.snapshot());
  });
}
