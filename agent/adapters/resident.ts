import { type ChildProcess, spawn } from 'node:child_process';
import type { Sensed } from '../../core/signals.ts';
import type { Unsubscribe } from '../ports.ts';

const FIRST_PAUSE_MS = 1_000;
const LAST_PAUSE_MS = 60_000;
/** A helper that has lived this long was not to blame for its end. */
const SETTLED_MS = 60_000;
const LONGEST_LINE = 256 * 1024;

export type ResidentOptions<T> = {
  readonly command: string;
  readonly args: readonly string[];
  /** One line without its end. `more`: part of an answer that is not complete; null: nonsense. */
  readonly parse: (line: string) => T | 'more' | null;
  /** Without a line for this long it hangs: it is ended and begun anew. */
  readonly staleMs: number;
  /** Without readers and listeners for this long it is ended. */
  readonly lingerMs: number;
  readonly firstPauseMs?: number;
};

/** A program of the system's that keeps telling what it sees, one line at a time; its crash is never ours. */
export type Resident<T> = {
  /** Begins it where it does not run; waits for its first answer. `unavailable`: there is no such program here. Never throws. */
  readonly read: () => Promise<Sensed<T>>;
  /** After every answer, and when it falls silent. It runs as long as somebody listens. */
  readonly onChange: (listener: () => void) => Unsubscribe;
  readonly close: () => void;
};

export function resident<T extends object>(options: ResidentOptions<T>): Resident<T> {
  const listeners = new Set<() => void>();
  const firstPause = options.firstPauseMs ?? FIRST_PAUSE_MS;
  let waiting: (() => void)[] = [];
  let value: Sensed<T> = 'unknown';
  let answered = false;
  let child: ChildProcess | null = null;
  let pauseMs = firstPause;
  let pause: NodeJS.Timeout | null = null;
  let stale: NodeJS.Timeout | null = null;
  let linger: NodeJS.Timeout | null = null;
  let closed = false;

  const stopTimer = (timer: NodeJS.Timeout | null): null => {
    if (timer !== null) clearTimeout(timer);
    return null;
  };
  const later = (ms: number, run: () => void): NodeJS.Timeout => setTimeout(run, ms).unref();

  function learn(next: Sensed<T>): void {
    value = next;
    answered = true;
    for (const resolve of waiting.splice(0)) resolve();
    for (const listener of [...listeners]) listener();
  }

  /** Ends what runs, without another attempt. */
  function stop(): void {
    const ended = child;
    child = null;
    stale = stopTimer(stale);
    pause = stopTimer(pause);
    ended?.kill('SIGKILL');
    ended?.stdout?.destroy();
  }

  function failed(next: Sensed<T>): void {
    stop();
    pause = later(pauseMs, () => {
      pause = null;
      if (listeners.size > 0) start();
    });
    pauseMs = Math.min(LAST_PAUSE_MS, pauseMs * 2);
    learn(next);
  }

  function start(): void {
    if (closed || child !== null || pause !== null) return;
    const since = performance.now();
    let begun: ChildProcess;
    try {
      begun = spawn(options.command, [...options.args], { stdio: ['ignore', 'pipe', 'ignore'], windowsHide: true });
    } catch {
      failed('unknown');
      return;
    }
    child = begun;
    // What was said before it ended says nothing of now.
    value = 'unknown';
    answered = false;
    const overdue = (): void => {
      if (child === begun) failed('unknown');
    };
    stale = later(options.staleMs, overdue);
    begun.once('error', (error) => {
      if (child !== begun) return;
      const absent = 'code' in error && error.code === 'ENOENT';
      if (absent) pauseMs = LAST_PAUSE_MS;
      failed(absent ? 'unavailable' : 'unknown');
    });
    begun.once('close', overdue);

    let rest = '';
    begun.stdout?.setEncoding('utf8');
    begun.stdout?.on('data', (chunk: string) => {
      if (child !== begun) return;
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LONGEST_LINE) overdue();
      for (const line of lines) {
        if (child !== begun) return;
        const said = line.trim() === '' ? 'more' : understood(line.trimEnd());
        stale?.refresh();
        if (said === 'more') continue;
        if (said !== null && performance.now() - since > SETTLED_MS) pauseMs = firstPause;
        learn(said ?? 'unknown');
      }
    });
  }

  function understood(line: string): T | 'more' | null {
    try {
      return options.parse(line);
    } catch {
      return null;
    }
  }

  function used(): void {
    linger = stopTimer(linger);
    if (listeners.size === 0) linger = later(options.lingerMs, () => (waiting.length > 0 ? used() : stop()));
  }

  return {
    async read() {
      if (closed) return 'unknown';
      used();
      start();
      if (child !== null && !answered) await new Promise<void>((resolve) => waiting.push(resolve));
      return value;
    },
    onChange(listener) {
      listeners.add(listener);
      linger = stopTimer(linger);
      start();
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) used();
      };
    },
    close() {
      closed = true;
      listeners.clear();
      linger = stopTimer(linger);
      stop();
      for (const resolve of waiting.splice(0)) resolve();
      waiting = [];
    },
  };
}
