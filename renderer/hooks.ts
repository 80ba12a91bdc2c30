import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { failed, type Outcome, type WireFailure } from '../core/errors.ts';
import type { SettingsPatch } from '../core/settings.ts';
import { useFrame } from './frame.ts';

/** The wall clock in Unix ms, once a second: for countdowns and elapsed times that the snapshot gives as instants. */
export function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

export function useMedia(query: string): boolean {
  const subscribe = useCallback(
    (changed: () => void) => {
      const list = window.matchMedia(query);
      list.addEventListener('change', changed);
      return () => list.removeEventListener('change', changed);
    },
    [query],
  );
  return useSyncExternalStore(subscribe, () => window.matchMedia(query).matches);
}

const EASE_MS = 900;

/** Glides up to `target` and never beyond it; falls at once, because what is gone must not be shown. */
export function useRising(target: bigint): bigint {
  const still = useMedia('(prefers-reduced-motion: reduce)');
  const [shown, setShown] = useState(target);
  const current = useRef(target);
  useEffect(() => {
    const show = (value: bigint): void => {
      current.current = value;
      setShown(value);
    };
    const from = current.current;
    if (still || target <= from) {
      show(target);
      return;
    }
    const began = performance.now();
    let frame = requestAnimationFrame(function draw(at) {
      const part = Math.min(1, Math.max(0, (at - began) / EASE_MS));
      show(from + ((target - from) * BigInt(Math.round(part * 1000))) / 1000n);
      if (part < 1) frame = requestAnimationFrame(draw);
    });
    return () => cancelAnimationFrame(frame);
  }, [target, still]);
  return shown;
}

export type Command = {
  readonly busy: boolean;
  readonly failure: WireFailure | null;
  readonly run: <T>(ask: () => Promise<Outcome<T>>) => Promise<Outcome<T>>;
  readonly dismiss: () => void;
};

/** One command at a time, with its failure kept until the next try. */
export function useCommand(): Command {
  const [state, setState] = useState<Pick<Command, 'busy' | 'failure'>>({ busy: false, failure: null });
  const run = useCallback(async <T>(ask: () => Promise<Outcome<T>>): Promise<Outcome<T>> => {
    setState({ busy: true, failure: null });
    const outcome = await ask().catch((error: unknown) => failed<T>(error));
    setState({ busy: false, failure: outcome.ok ? null : outcome.failure });
    return outcome;
  }, []);
  const dismiss = useCallback(() => setState((now) => ({ ...now, failure: null })), []);
  return { ...state, run, dismiss };
}

export type Setting<T> = {
  readonly value: T;
  readonly change: (value: T) => void;
  readonly failure: WireFailure | null;
  readonly dismiss: () => void;
};

const SETTLE_MS = 180;

/**
 * One setting as a control holds it. A change shows at once and is sent when the hand rests; the first snapshot after
 * the acknowledgement is the truth again, and so is the present one after a failure.
 */
export function useSetting<T extends string | number | boolean>(
  actual: T,
  patch: (value: T) => SettingsPatch,
  settleMs = SETTLE_MS,
): Setting<T> {
  const { commands, snapshot } = useFrame();
  const { run, failure, dismiss } = useCommand();
  const [draft, setDraft] = useState<{ readonly value: T; readonly acknowledgedAt: number | null } | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  const rev = useRef(snapshot.rev);
  rev.current = snapshot.rev;

  const settled = draft !== null && draft.acknowledgedAt !== null;
  if (settled && (draft.value === actual || snapshot.rev > draft.acknowledgedAt)) setDraft(null);

  const change = (value: T): void => {
    setDraft({ value, acknowledgedAt: null });
    if (timer.current !== null) clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      void run(() => commands.updateSettings(patch(value))).then((outcome) =>
        setDraft((now) => {
          if (now === null || now.value !== value) return now;
          return outcome.ok ? { value, acknowledgedAt: rev.current } : null;
        }),
      );
    }, settleMs);
  };
  return { value: draft?.value ?? actual, change, failure, dismiss };
}
