import { asFailure } from '../core/errors.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { encodeWire } from '../core/wire.ts';
import type { Clock, Log, Unsubscribe } from './ports.ts';

const COALESCE_MS = 100;

/** The newest snapshot and who watches it. It is built when asked for, and pushed only while somebody watches. */
export type Mirror = {
  readonly changed: () => void;
  readonly snapshot: () => Snapshot;
  readonly onSnapshot: (listener: (snapshot: Snapshot) => void) => Unsubscribe;
  readonly close: () => void;
};

export type Picture = Omit<Snapshot, 'rev' | 'at'>;

export function createMirror(ports: { readonly clock: Clock; readonly log: Log }, build: () => Picture): Mirror {
  const { clock, log } = ports;
  const listeners = new Set<(snapshot: Snapshot) => void>();
  let newest: Snapshot | null = null;
  let text = '';
  let stale = true;
  let pushedRev = 0;
  let pushing: (() => void) | null = null;

  function snapshot(): Snapshot {
    if (newest !== null && !stale) return newest;
    stale = false;
    const picture = build();
    const now = encodeWire(picture);
    if (newest === null || now !== text) {
      newest = { rev: (newest?.rev ?? 0) + 1, at: clock.now(), ...picture };
      text = now;
    }
    return newest;
  }

  function push(): void {
    pushing = null;
    try {
      const current = snapshot();
      if (current.rev === pushedRev) return;
      pushedRev = current.rev;
      for (const listener of [...listeners]) listener(current);
    } catch (error) {
      log('error', 'snapshot-failed', { detail: asFailure(error).message });
    }
  }

  function changed(): void {
    stale = true;
    if (listeners.size > 0) pushing ??= clock.after(COALESCE_MS, push);
  }

  return {
    changed,
    snapshot,
    onSnapshot(listener) {
      listeners.add(listener);
      changed();
      return () => listeners.delete(listener);
    },
    close() {
      pushing?.();
      pushing = null;
      listeners.clear();
    },
  };
}
