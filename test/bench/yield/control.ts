import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Containers } from '../../../agent/ports.ts';
import { isFailure } from '../../../core/errors.ts';
import type { Display } from './display.ts';

/**
 * Our restatement of the polling rules that BOINC publishes. Source: BOINC, `client/client_state.h` (POLL_INTERVAL),
 * `client/app.cpp` (MEMORY_USAGE_PERIOD), `samples/docker_wrapper/docker_wrapper.cpp` (POLL_PERIOD).
 */
const CLIENT_POLL_MS = 1_000;
const PROCESS_LIST_MS = 10_000;
const WRAPPER_POLL_MS = 1_000;

/** Waits for the next turn of something that happens every `ms`, at a phase that has nothing to do with the event. */
const turn = (ms: number): Promise<void> => delay(Math.random() * ms);

/** The files behind the processes of this machine. */
function programs(): readonly string[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      return [readlinkSync(`/proc/${name}/exe`)];
    } catch {
      return [];
    }
  });
}

/** An engine refuses to pause work that its scheduler has throttled, now and then: the wrapper asks again at its next turn. */
async function wrapped(containers: Containers, ids: readonly string[]): Promise<void> {
  await turn(WRAPPER_POLL_MS);
  await Promise.all(
    ids.map(async (id) => {
      while (!(await paused(containers, id))) await delay(WRAPPER_POLL_MS);
    }),
  );
}

const paused = (containers: Containers, id: string): Promise<boolean> =>
  containers.freeze(id).then(
    () => true,
    (error: unknown) => {
      if (isFailure(error, 'REFUSED')) return false;
      throw error;
    },
  );

/** What the display's idle time and the clock of this process may differ by. */
const SLACK_MS = 5;

/** Freezes the containers as its rules have it once somebody touches the machine, which is to happen right after the call. */
export async function controlForInput(display: Display, containers: Containers, ids: readonly string[]): Promise<void> {
  const began = performance.now();
  await turn(CLIENT_POLL_MS);
  while ((await display.idleMs()) > performance.now() - began + SLACK_MS) await delay(CLIENT_POLL_MS);
  await wrapped(containers, ids);
}

/** As `controlForInput`, for a program: the process list is read, and the client's next poll acts on it. */
export async function controlForGame(path: string, containers: Containers, ids: readonly string[]): Promise<void> {
  await turn(PROCESS_LIST_MS);
  while (!programs().includes(path)) await delay(PROCESS_LIST_MS);
  await turn(CLIENT_POLL_MS);
  await wrapped(containers, ids);
}
