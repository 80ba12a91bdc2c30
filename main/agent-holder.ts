import { cpus, totalmem } from 'node:os';
import type { Agent, OpenedAgent } from '../agent/api.ts';
import type { Clock, Log } from '../agent/ports.ts';
import { asFailure } from '../core/errors.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { closedAgent } from './closed-agent.ts';

const TRY_AGAIN_MS = 10_000;

type Parts = {
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  readonly dataDir: string;
  readonly open: () => Promise<OpenedAgent>;
  readonly onSnapshot: (snapshot: Snapshot) => void;
};

/**
 * The agent as the shell holds it.
 *
 *   opening ──► open
 *      └──────► closed (says why) ──► opening …    a keyring that is unlocked later, a disk that gets space
 */
export type AgentHolder = {
  readonly start: () => void;
  /** The agent, or what stands in for it; waits while the first opening lasts. */
  readonly ready: () => Promise<Agent>;
  readonly newest: () => Snapshot | null;
  readonly wake: () => void;
  readonly stop: () => Promise<void>;
};

export function createAgentHolder(parts: Parts): AgentHolder {
  const { clock, log } = parts;
  let current: Agent | null = null;
  let stopped = false;
  let cancelRetry = (): void => {};
  let announce: (agent: Agent) => void = () => {};
  const first = new Promise<Agent>((resolve) => {
    announce = resolve;
  });
  let opening: Promise<void> = Promise.resolve();

  const hold = (agent: Agent): void => {
    current = agent;
    announce(agent);
    parts.onSnapshot(agent.snapshot());
  };

  const open = async (): Promise<void> => {
    let agent: Agent | null = null;
    try {
      const opened = (await parts.open()).agent;
      agent = opened;
      opened.onSnapshot((snapshot) => {
        if (current === opened) parts.onSnapshot(snapshot);
      });
      hold(opened);
      await opened.start();
    } catch (error) {
      await agent?.stop().catch(() => {});
      const failure = asFailure(error);
      log('error', 'agent-not-open', { code: failure.code, message: failure.message });
      const machine = { cpuCores: cpus().length, memoryBytes: totalmem() };
      hold(closedAgent({ failure, version: parts.version, dataDir: parts.dataDir, at: clock.now(), machine }));
      if (!stopped) {
        cancelRetry = clock.after(TRY_AGAIN_MS, () => {
          opening = open();
        });
      }
    }
  };

  return {
    start: () => {
      opening = open();
    },
    ready: async () => current ?? (await first),
    newest: () => current?.snapshot() ?? null,
    wake: () => current?.wake(),
    stop: async () => {
      stopped = true;
      cancelRetry();
      await opening;
      await current?.stop();
    },
  };
}
