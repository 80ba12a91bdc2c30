import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { dockerContainers } from '../../../agent/adapters/docker.ts';
import type { Containers } from '../../../agent/ports.ts';
import type { CatalogueEntry } from '../../../core/catalogue.ts';
import type { Address, Lane } from '../../../core/primitives.ts';
import { signedFiles } from '../../support/signed.ts';
import { until } from '../../support/wait.ts';
import type { FromAgent, Start, ToAgent } from './messages.ts';
import { monotonic, type Watched, watchContainer } from './stamps.ts';

/** Longer than any rule waits after a game, however often it was played lately; twice as long does not end resting work. */
const CALM_MS = 250_000;
/** The agent says at most ten times a second what it thinks. */
const SAID_MS = 300;
/** Reasons that time alone takes away. */
const PASSING = ['in-use', 'settling'];
const LEAP_ANYWAY_MS = 5_000;
const SPINNERS = 2;
/** A throttled container runs at least once in each period of its quota, but waits its turn among the others. */
const LIVELY_MS = 250;

/** An agent in its own process and the containers that it started, watched from outside. */
export type Fleet = {
  readonly containers: Containers;
  readonly agent: ChildProcess;
  readonly watched: () => readonly Watched[];
  readonly stamps: () => readonly number[];
  /** All containers are there, and each of their processes was seen at work lately. */
  readonly lively: () => Promise<boolean>;
  /** Lets the agent believe that everybody has left, until all its work runs. */
  readonly calm: () => Promise<void>;
  /** Answers how often work was ended because nothing froze it in time. */
  readonly end: () => Promise<number>;
};

export async function openFleet(options: {
  readonly entries: readonly CatalogueEntry[];
  readonly lane: Lane;
  readonly count: number;
  readonly cpuPercent: number;
  readonly heldMiB: string;
}): Promise<Fleet> {
  const folder = await mkdtemp(join(tmpdir(), 'idlemesh-bench-yield-'));
  const files = await signedFiles(folder, options.entries);
  const entry = options.entries.find(({ lane }) => lane === options.lane);
  if (entry === undefined) throw new Error('no such workload');
  const { id: workload, version, image, lane } = entry;
  const job = { lane, workload, version, image, params: { spinners: `${SPINNERS}`, heldMiB: options.heldMiB } };
  const start: Start = {
    ...{ folder, ...files, cpuPercent: options.cpuPercent, idleMs: 24 * 3_600_000 },
    jobs: Array.from({ length: options.count }, () => job),
  };
  const agent = fork(join(import.meta.dirname, 'agent-process.ts'), [JSON.stringify(start)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  let device: Address | null = null;
  let reason: string | null = 'not begun';
  let dead = false;
  agent.on('message', (message: FromAgent) => {
    if (message.kind === 'ready') device = message.device;
    else reason = message.reason;
  });
  agent.on('exit', () => {
    dead = true;
  });
  const containers = dockerContainers({ log: () => undefined });
  let watched: readonly Watched[] = [];
  const stamps = (): readonly number[] => watched.flatMap((one) => one.stamps());
  const leap = (): void => void agent.send({ leapMs: CALM_MS } satisfies ToAgent);

  async function lively(): Promise<boolean> {
    if (dead) throw new Error(`the agent's process ended (see ${folder}/logs)`);
    if (watched.length < options.count || watched.some((one) => one.gone())) await find();
    if (watched.length < options.count || watched.some((one) => one.stopped())) return false;
    const since = monotonic() - LIVELY_MS;
    const all = stamps();
    return all.length === options.count * SPINNERS && all.every((stamp) => stamp > since);
  }
  async function find(): Promise<void> {
    for (const one of watched) one.close();
    watched = [];
    if (device === null) return;
    const running = (await containers.list(device)).filter(({ state }) => state === 'running');
    const found = await Promise.allSettled(running.map(({ id }) => watchContainer(id, SPINNERS)));
    watched = found.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  }
  async function calm(): Promise<void> {
    const began = Date.now();
    for (let leapt = began; !(await lively()); await delay(10)) {
      const now = Date.now();
      if (now - began > 60_000) throw new Error(`the work did not go on: ${reason}`);
      if (now - leapt < (PASSING.includes(reason ?? '') ? SAID_MS : LEAP_ANYWAY_MS)) continue;
      leapt = now;
      leap();
    }
  }

  await until('the agent to hold leases', () => device !== null || dead);
  return {
    ...{ containers, agent, stamps, lively, calm, watched: () => watched },
    async end() {
      for (const one of watched) one.close();
      containers.close();
      if (!dead) {
        agent.disconnect();
        await once(agent, 'exit');
      }
      const log = await readFile(join(folder, 'logs/agent.log'), 'utf8');
      await rm(folder, { recursive: true, force: true });
      return log.split('"event":"freeze-escalated"').length - 1;
    },
  };
}
