import { performance } from 'node:perf_hooks';
import type { IdleSource } from '../ports.ts';
import { onceReturned } from './returning.ts';
import type { XServer, XSession } from './x11-connection.ts';

/** An alarm on a smaller idle time could be passed over: the server looks at its counter in whole milliseconds. */
const ARMED_ABOVE_MS = 20;
/** Between two looks at a server that cannot wake us. */
const LOOK_MS = 40;
/** The server counts whole milliseconds. */
const CLOCKS_DIFFER_MS = 2;
/** XSyncValueType and XSyncTestType of the SYNC extension 3.1. */
const ABSOLUTE = 0;
const NEGATIVE_TRANSITION = 1;

/**
 * Time since the last key, button or pointer motion that an X server saw, synthetic ones of XTEST included; through its counter
 * IDLETIME (X Synchronization Extension 3.1), or MIT-SCREEN-SAVER where that is missing.
 */
export function x11Idle(server: XServer): IdleSource {
  return {
    name: 'X11',
    timeoutMs: 1_000,
    async idleMs() {
      const session = await server.get();
      if (session === null) return 'unknown';
      if (session.idle === null) return 'unavailable';
      const ms = await session.idle().catch(() => -1);
      return Number.isFinite(ms) && ms >= 0 ? ms : 'unknown';
    },
    onReturn: (listener) => onceReturned(server, arm, listener),
  };
}

/** Calls `fire` at the first input from now on; it may be called more than once. */
function arm(session: XSession, fire: () => void): () => void {
  const { idle, counter } = session;
  if (idle === null) return () => undefined;
  let timer: NodeJS.Timeout | undefined;
  let release = (): void => undefined;
  let stopped = false;
  let before: { readonly ms: number; readonly at: number } | null = null;

  async function look(ask: () => Promise<number>): Promise<void> {
    const asked = performance.now();
    const ms = await ask();
    if (stopped) return;
    // Where nobody touched anything the time without input has grown by at least the time between answer and question.
    const touched = before !== null && ms < before.ms + (asked - before.at) - CLOCKS_DIFFER_MS;
    before = { ms, at: performance.now() };
    if (touched) return fire();
    if (counter === null || ms < ARMED_ABOVE_MS) {
      timer = setTimeout(() => void look(ask).catch(fire), counter === null ? LOOK_MS : ARMED_ABOVE_MS);
      return;
    }
    release = alarm(session, counter, ms - 1, fire);
    // Input between the look and the alarm is no transition for it.
    if ((await ask()) < ms) fire();
  }
  void look(idle).catch(fire);

  return () => {
    stopped = true;
    clearTimeout(timer);
    release();
  };
}

function alarm(
  { client, onEvent }: XSession,
  { sync, id: counter }: NonNullable<XSession['counter']>,
  belowMs: number,
  fire: () => void,
): () => void {
  const id = client.AllocID();
  const off = onEvent((event) => {
    if (event.name === 'AlarmNotify' && event.alarm === id) fire();
  });
  sync.CreateAlarm(id, {
    ...{ counter, valueType: ABSOLUTE, value: belowMs, testType: NEGATIVE_TRANSITION, delta: 0, events: true },
  });
  let released = false;
  return () => {
    if (released) return;
    released = true;
    off();
    try {
      sync.DestroyAlarm(id);
      client.ReleaseID(id);
    } catch {
      // The connection is gone, and the alarm with it.
    }
  };
}
