import { useStore } from 'zustand';
import { createStore, type StoreApi } from 'zustand/vanilla';
import type { Bridge } from '../core/ipc.ts';
import type { Snapshot } from '../core/snapshot.ts';

/** `lost`: the application did not answer and nothing has arrived since. */
export type MirrorState = { readonly snapshot: Snapshot | null; readonly lost: boolean };
export type Mirror = StoreApi<MirrorState>;

export const createMirror = (): Mirror => createStore<MirrorState>(() => ({ snapshot: null, lost: false }));

/**
 * Mirrors the application's snapshot. Subscribes before it asks, so that no change falls between the two, and drops what is
 * not newer than what it has. Returns the function that ends the subscription.
 */
export function connect(mirror: Mirror, bridge: Pick<Bridge, 'snapshot' | 'onSnapshot'>): () => void {
  let open = true;
  const take = (snapshot: Snapshot): void => {
    if (!open) return;
    const known = mirror.getState().snapshot;
    if (known === null || snapshot.rev > known.rev) mirror.setState({ snapshot, lost: false });
  };
  const end = bridge.onSnapshot(take);
  bridge.snapshot().then(take, () => {
    if (open && mirror.getState().snapshot === null) mirror.setState({ lost: true });
  });
  return () => {
    open = false;
    end();
  };
}

export const useMirror = (mirror: Mirror): MirrorState => useStore(mirror);
