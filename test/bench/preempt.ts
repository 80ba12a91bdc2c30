import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../agent/adapters/clock.ts';
import { dockerContainers } from '../../agent/adapters/docker.ts';
import { folderWorkspace } from '../../agent/adapters/workspace.ts';
import { checkpointsIn } from '../../agent/checkpoints.ts';
import { type Runner, startRunner } from '../../agent/runner.ts';
import { sha256Hex } from '../../core/keccak.ts';
import type { Hex32 } from '../../core/primitives.ts';
import { containerSpec } from '../../core/sandbox.ts';
import { testTools } from '../../scripts/lib/display.mjs';
import { trafficOf } from '../fakes/traffic.ts';
import { randomAddress, randomHex32 } from '../support/random.ts';
import { doorImage, seccompProfile, transcodeWorkload } from '../support/transcode.ts';
import { makeFilm } from './preempt/clip.ts';
import { singlePass } from './preempt/single.ts';
import { percentile, rounded, spread } from './yield/figures.ts';

/**
 * What an owner who comes back costs a consumer: a film is transcoded by the agent's own runner on a real engine and ended at
 * random moments, again and again, until it is done. Lost is the time from the last checkpoint on the disk (or from the start of
 * the container) to the end. Beside it, in turns: the same film without an interruption, and in one go without checkpoints.
 * `--cores=1` is what the default share leaves of two; `--seconds=30` is the length of the film; `--kills=30` at least.
 */
const option = (name: string, fallback: number): number =>
  Number(process.argv.find((word) => word.startsWith(`--${name}=`))?.split('=')[1] ?? fallback);
const [cores, seconds, kills] = [option('cores', 1), option('seconds', 30), option('kills', 30)];
const SETTINGS = [
  { height: '480', preset: 'veryfast', crf: '23' },
  { height: '720', preset: 'medium', crf: '23' },
  { height: '240', preset: 'ultrafast', crf: '28' },
] as const;
const MEAN_BETWEEN_KILLS_S = 8;
const hundredths = (value: number): number => Math.round(value * 100) / 100;
const tell = (text: string): void => void process.stderr.write(`${text}\n`);

const folder = mkdtempSync(join(tmpdir(), 'idlemesh-bench-preempt-'));
const containers = dockerContainers({ log: () => undefined });
const workspace = folderWorkspace(join(folder, 'workspace'));
const [workload, profile, door] = await Promise.all([transcodeWorkload(), seccompProfile(), doorImage()]);
const film = join(folder, 'film.mp4');
const address = randomAddress();
const share = { cpuCores: cores, memoryBytes: workload.limits.memoryBytes, pids: workload.limits.pids };

type Params = Readonly<Record<string, string>>;
type Work = { readonly runner: Runner; readonly begun: Promise<number>; readonly output: () => Buffer };

function begin(leaseId: Hex32, input: Buffer, params: Params): Work {
  let output: Buffer = Buffer.alloc(0);
  let start: (at: number) => void = () => undefined;
  const begun = new Promise<number>((resolve) => {
    start = resolve;
  });
  const link = {
    download: async (_sha256: Hex32, _bytes: number, path: string) => copyFileSync(film, path),
    upload: async (_sha256: Hex32, path: string) => {
      output = readFileSync(path);
    },
  };
  const now = Date.now();
  const runner = startRunner({
    ports: {
      clock: systemClock,
      log: () => undefined,
      containers,
      workspace,
      seccompProfile: profile,
      traffic: trafficOf(),
    },
    link: () => link,
    key: { address },
    instance: 'bench',
    lease: {
      ...{ leaseId, jobId: leaseId, workload: workload.id, version: workload.version, image: workload.image, params },
      ...{ lane: 'cpu', inputHash: sha256Hex(input), inputBytes: input.length, price: 1n, deadline: now + 3_600_000 },
    },
    ...{ entry: workload, launch: { door }, share, deaths: 0, gpu: null, finish: async () => undefined },
    ...{ onProgress: () => undefined, changed: () => undefined, began: () => start(Date.now()) },
  });
  return { runner, begun, output: () => output };
}

/** When its container ran. */
async function begunAt(work: Work): Promise<number> {
  const at = await Promise.race([work.begun, work.runner.ended.then(() => null)]);
  if (at !== null) return at;
  await ended(work);
  throw new Error('the job ended before it began');
}

async function ended(work: Work): Promise<void> {
  const ending = await work.runner.ended;
  if (ending.kind === 'declined') throw new Error(`the job failed: ${ending.detail}`);
}

/** Uninterrupted. */
async function whole(input: Buffer, params: Params): Promise<{ readonly seconds: number; readonly output: Buffer }> {
  const work = begin(randomHex32(), input, params);
  const from = await begunAt(work);
  await ended(work);
  return { seconds: (Date.now() - from) / 1000, output: work.output() };
}

/** When the last checkpoint was on the disk; null: there is none. */
function savedAt(leaseId: Hex32): number | null {
  const { size, mtimeMs } = statSync(checkpointsIn(workspace.of(leaseId)), { throwIfNoEntry: false }) ?? { size: 0 };
  return size > 0 && mtimeMs !== undefined ? mtimeMs : null;
}

/** Ended at random moments until it is done. */
async function interrupted(
  input: Buffer,
  params: Params,
): Promise<{ readonly lost: number[]; readonly output: Buffer }> {
  const leaseId = randomHex32();
  const lost: number[] = [];
  for (;;) {
    const work = begin(leaseId, input, params);
    const from = await begunAt(work);
    const cancel = new AbortController();
    const wait = -Math.log(1 - Math.random()) * MEAN_BETWEEN_KILLS_S * 1000;
    const late = delay(wait, true, { signal: cancel.signal }).catch(() => false);
    if (!(await Promise.race([late, work.runner.ended.then(() => false)]))) {
      cancel.abort();
      await ended(work);
      return { lost, output: work.output() };
    }
    // As the agent does it: the word through the door, then the removal.
    const at = Date.now();
    work.runner.tell('stop');
    work.runner.release();
    await ended(work);
    // A result that was whole by then is uploaded all the same.
    if (work.output().length > 0) return { lost, output: work.output() };
    lost.push(Math.max(0, at - Math.max(from, savedAt(leaseId) ?? from)) / 1000);
    tell(`${params['preset']}: ended after ${rounded((at - from) / 1000)} s, ${rounded(lost.at(-1) ?? 0)} s lost`);
  }
}

try {
  await testTools(['ffmpeg']);
  await workspace.prepare();
  await makeFilm(film, seconds);
  const input = readFileSync(film);
  const labels = { lease: randomHex32(), device: address, instance: 'bench' };
  const spec = containerSpec(workload, share, labels, profile);
  const lost: number[] = [];
  const [speeds, sizes]: [number[], number[]] = [[], []];
  let identical = true;
  for (let round = 0; round === 0 || lost.length < kills; round++) {
    for (const params of SETTINGS) {
      const once = await singlePass(containers, spec, input, params);
      const one = await whole(input, params);
      const often = await interrupted(input, params);
      identical &&= sha256Hex(one.output) === sha256Hex(often.output);
      lost.push(...often.lost);
      speeds.push(one.seconds / once.seconds);
      sizes.push(one.output.length / once.bytes);
      tell(`${params.preset}: ${rounded(once.seconds)} s in one go, ${rounded(one.seconds)} s in pieces`);
    }
  }
  const figures = {
    kills: lost.length,
    workLostP50S: rounded(percentile(lost, 50)),
    workLostP95S: rounded(percentile(lost, 95)),
    identical,
    timeRatio: hundredths(percentile(speeds, 50)),
    sizeRatio: hundredths(percentile(sizes, 50)),
    raw: { cores, seconds, lost: spread(lost), speeds, sizes },
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
  if (!identical) process.exitCode = 1;
} finally {
  for (const container of await containers.list(address)) await containers.remove(container.id);
  containers.close();
  rmSync(folder, { recursive: true, force: true });
}
