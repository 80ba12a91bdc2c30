import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asFailure, fail } from '../core/errors.ts';
import { makeClip } from './clips.ts';
import { Consumer, identify } from './consumer.ts';
import type { Logger } from './log.ts';
import { PRACTICE_DEPOSIT, type Practice } from './practice.ts';

const CLIPS = 6;
const HEIGHTS = ['240', '360', '480'] as const;
const WAIT_AFTER_FAILURE_MS = 10_000;

export type FeederOptions = {
  readonly practice: Practice;
  readonly clipDir: string;
  readonly image: string;
  /** Jobs waiting or running at a time. */
  readonly open: number;
  /** Rest between a finished job and the next order. */
  readonly pauseMs: number;
  readonly log: Logger;
};

/**
 * The practice network's consumer: keeps a few transcodes ordered, fetches each output and checks its hash, as a paying
 * consumer would. Ends when `signal` fires.
 */
export async function feed(options: FeederOptions, signal: AbortSignal): Promise<void> {
  const outputs = await mkdtemp(join(tmpdir(), 'idlemesh-practice-'));
  let next = 0;
  const lane = async (): Promise<void> => {
    while (!signal.aborted) {
      const turn = next++;
      try {
        await order(options, turn, join(outputs, `${turn}.mp4`), signal);
        await rest(options.pauseMs, signal);
      } catch (error) {
        if (signal.aborted) return;
        const { code, message } = asFailure(error);
        options.log('warn', 'practice-order-failed', { code, message });
        await rest(WAIT_AFTER_FAILURE_MS, signal);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: options.open }, lane));
  } finally {
    await rm(outputs, { recursive: true, force: true });
  }
}

async function order(
  { practice, clipDir, image, log }: FeederOptions,
  turn: number,
  output: string,
  signal: AbortSignal,
): Promise<void> {
  const patience = { signal, waiting: (message: string) => log('warn', 'practice-order-waits', { message }) };
  const path = await makeClip(clipDir, image, turn % CLIPS);
  await practice.ensureDeposit(PRACTICE_DEPOSIT);
  const consumer = await Consumer.connect(practice.coordinator.url, practice.consumerKey);
  const input = await identify(path);
  const height = HEIGHTS[Math.floor(turn / CLIPS) % HEIGHTS.length] ?? '360';
  const quote = await consumer.quote('transcode', input.bytes, { height });
  const job = await consumer.submit({ workload: 'transcode', path, input, quote, now: Date.now() });
  for await (const view of consumer.follow(job, patience)) {
    if (view.state === 'failed' || view.state === 'cancelled')
      fail('WORKLOAD_FAILED', view.failure ?? 'no reason given');
    if (view.state !== 'done' || view.outputHash === null) continue;
    await consumer.fetch(view.outputHash, output, patience);
    await rm(output, { force: true });
  }
}

function rest(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
  });
}
