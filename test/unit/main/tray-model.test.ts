import { describe, expect, it } from 'vitest';
import { defaultSettings } from '../../../core/settings.ts';
import type { TrayItem } from '../../../main/tray-model.ts';
import { openingModel, trayModel } from '../../../main/tray-model.ts';
import { busyMachine } from '../../fakes/snapshots.ts';
import { snapshotOf } from '../../fakes/stub-agent.ts';

const NOON = Date.UTC(2026, 5, 1, 12, 0, 0);
const at = (now = NOON) => ({ now, utcOffsetMinutes: 0 });
const labels = (items: readonly TrayItem[]) => items.map((item) => (item.kind === 'separator' ? '-' : item.label));
const sharing = (mode: 'now' | 'when-idle', pausedUntil: number | 'resumed' | null = null) => ({
  ...defaultSettings(),
  sharing: { mode, pausedUntil, draining: false },
});

describe('the tray while sharing', () => {
  const snapshot = snapshotOf({
    presence: 'sharing',
    reason: null,
    settings: sharing('now'),
    earnings: { ...snapshotOf().earnings, today: 1_234_567_890_000_000_000n },
  });

  it('says so, with what was earned today, never rounded up', () => {
    const model = trayModel(snapshot, 'en', at());
    expect(model.icon).toBe('sharing');
    expect(model.tooltip).toBe('Idlemesh\nSharing\n1.2345 IDLE earned today');
    expect(model.changesIn).toBeNull();
  });

  it('offers both modes with the chosen one marked, the three pauses, open and quit', () => {
    const { items } = trayModel(snapshot, 'en', at());
    expect(labels(items)).toEqual([
      'Sharing',
      '1.2345 IDLE earned today',
      '-',
      'Share when idle',
      'Share now',
      'Pause',
      'Finish the current job, then stop',
      '-',
      'Open Idlemesh',
      'Quit',
    ]);
    expect(items.filter((item) => item.kind === 'radio').map((item) => item.checked)).toEqual([false, true]);
    const pause = items.find((item) => item.kind === 'submenu');
    expect(pause?.items.map((item) => item.kind === 'action' && item.action)).toEqual([
      { kind: 'pause', choice: 'hour' },
      { kind: 'pause', choice: 'tomorrow' },
      { kind: 'pause', choice: 'resumed' },
    ]);
  });

  it('names no token before a network is known', () => {
    expect(trayModel({ ...snapshot, network: null }, 'en', at()).tooltip).toContain('\n1.2345 earned today');
  });
});

describe('the tray while paused', () => {
  const until = NOON + 59 * 60_000 + 12_345;
  const snapshot = snapshotOf({
    presence: 'paused',
    reason: { kind: 'paused', until },
    settings: sharing('when-idle', until),
  });

  it('offers to resume, with the whole minutes left', () => {
    const { items, tooltip } = trayModel(snapshot, 'en', at());
    expect(items.some((item) => item.kind === 'submenu')).toBe(false);
    expect(labels(items)).toContain('Resume (1 h)');
    expect(tooltip).toContain('Paused until 12:59 (1 h left)');
  });

  it('stays the same within a minute and says when it changes', () => {
    const first = trayModel(snapshot, 'en', at());
    expect(first.changesIn).toBe(12_345);
    expect(trayModel(snapshot, 'en', at(NOON + 12_344)).items).toEqual(first.items);
    expect(trayModel(snapshot, 'en', at(NOON + 12_345)).items).not.toEqual(first.items);
  });

  it('counts nothing down when the pause has no end', () => {
    const open = snapshotOf({ presence: 'paused', reason: { kind: 'paused', until: 'resumed' } });
    const model = trayModel(open, 'en', at());
    expect(labels(model.items)).toContain('Resume');
    expect(model.changesIn).toBeNull();
  });
});

describe('the tray of a machine with graphics cards', () => {
  const snapshot = snapshotOf(busyMachine(NOON));

  it('says a sentence for each lane and card, with the whole minutes left', () => {
    const model = trayModel(snapshot, 'en', at());
    expect(labels(model.items).slice(0, 3)).toEqual([
      'Processor: The processor is calm again. Sharing in 1 min if it stays so',
      'GeForce RTX 4080: Resting while Elden Ring runs',
      'Radeon Pro W6600: Resting: 91 °C is over your limit of 90 °C',
    ]);
    expect(model.changesIn).toBe(41_000);
  });

  it('finishes the job in hand and then stops; meanwhile it offers to resume', () => {
    expect(trayModel(snapshot, 'en', at()).items).toContainEqual({
      kind: 'action',
      label: 'Finish the current job, then stop',
      action: { kind: 'finish' },
    });
    const settings = { ...snapshot.settings, sharing: { ...snapshot.settings.sharing, draining: true } };
    const draining = labels(trayModel({ ...snapshot, settings }, 'en', at()).items);
    expect(draining).toContain('Finishing what is in hand');
    expect(draining).toContain('Resume');
    expect(draining).not.toContain('Pause');
  });
});

describe('the tray in trouble', () => {
  it('shows every problem in tooltip and menu', () => {
    const model = trayModel(
      snapshotOf({
        presence: 'attention',
        reason: { kind: 'engine-absent' },
        problems: [
          { kind: 'engine-absent', detail: 'no socket' },
          { kind: 'chain-away', detail: 'refused' },
        ],
      }),
      'en',
      at(),
    );
    expect(model.icon).toBe('attention');
    for (const title of ['Docker is not running', 'The chain cannot be reached']) {
      expect(model.tooltip).toContain(title);
      expect(model.items).toContainEqual({ kind: 'line', label: title });
    }
  });
});

it('speaks Japanese', () => {
  const model = trayModel(snapshotOf({ presence: 'sharing', reason: null }), 'ja', at());
  expect(labels(model.items)).toContain('今すぐ共有');
});

it('has a way in and a way out before the agent is open', () => {
  expect(labels(openingModel('en').items)).toEqual(['Waiting', '-', 'Open Idlemesh', 'Quit']);
});
