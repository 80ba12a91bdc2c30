import { describe, expect, it } from 'vitest';
import type { Snapshot } from '../../../core/snapshot.ts';
import { connect, createMirror } from '../../../renderer/store.ts';
import { FakeBridge } from '../../fakes/bridge.ts';
import { snapshot } from '../../fakes/snapshots.ts';

const at = (rev: number): Snapshot => snapshot(0, { rev });
const revOf = (mirror: ReturnType<typeof createMirror>) => mirror.getState().snapshot?.rev;

describe('the mirror of the snapshot', () => {
  it('subscribes before it asks, so that nothing falls between the two', async () => {
    const order: string[] = [];
    const mirror = createMirror();
    connect(mirror, {
      onSnapshot: (listener) => {
        order.push('subscribe');
        listener(at(8));
        return () => undefined;
      },
      snapshot: async () => {
        order.push('ask');
        return at(7);
      },
    });
    await Promise.resolve();
    expect(order).toEqual(['subscribe', 'ask']);
    expect(revOf(mirror)).toBe(8);
  });

  it('takes a newer snapshot and drops one that is older or the same', async () => {
    const bridge = new FakeBridge(at(5));
    const mirror = createMirror();
    const stop = connect(mirror, bridge);
    await bridge.snapshot();
    const first = mirror.getState().snapshot;
    expect(first?.rev).toBe(5);
    bridge.push(at(4));
    bridge.push(at(5));
    expect(mirror.getState().snapshot).toBe(first);
    bridge.push(at(6));
    expect(revOf(mirror)).toBe(6);
    stop();
  });

  it('leaves no subscription behind and takes nothing after its end', async () => {
    const bridge = new FakeBridge(at(1));
    const mirror = createMirror();
    const stop = connect(mirror, bridge);
    expect(bridge.listeners.size).toBe(1);
    stop();
    expect(bridge.listeners.size).toBe(0);
    await bridge.snapshot();
    expect(mirror.getState().snapshot).toBeNull();
  });

  it('says that the application is lost when it does not answer, until something arrives', async () => {
    const bridge = new FakeBridge(at(1));
    const mirror = createMirror();
    const answer = Promise.reject(new Error('gone'));
    const stop = connect(mirror, { onSnapshot: bridge.onSnapshot, snapshot: () => answer });
    await answer.catch(() => undefined);
    expect(mirror.getState()).toEqual({ snapshot: null, lost: true });
    bridge.push(at(2));
    expect(mirror.getState()).toMatchObject({ lost: false, snapshot: { rev: 2 } });
    stop();
  });
});
