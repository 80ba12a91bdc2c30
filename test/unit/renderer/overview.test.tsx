// @vitest-environment happy-dom
import { act, fireEvent, screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { parseTokens } from '../../../core/money.ts';
import type { Problem } from '../../../core/snapshot.ts';
import { textIn } from '../../../core/text/index.ts';
import { momentAt } from '../../../renderer/format.ts';
import { job, snapshot, wallet } from '../../fakes/snapshots.ts';
import { PROBLEM, PROBLEMS, reasonsAt } from '../../support/situations.ts';
import { alerts, aWindow, NOW, openWindow } from './open-window.tsx';

aWindow();

const LANGUAGES = ['en', 'ja'] as const;

const REASONS = reasonsAt(NOW);

const REMEDIES: {
  readonly [Kind in Problem['kind']]: 'resetSettings' | 'openHelp' | 'limits' | 'settings' | 'proof' | null;
} = {
  'settings-broken': 'resetSettings',
  'ledger-unwritable': null,
  'sandbox-leaks': 'proof',
  'engine-absent': 'proof',
  'engine-forbidden': 'proof',
  'engine-unfit': 'proof',
  'engine-slow': null,
  'disk-low': 'limits',
  'coordinator-away': 'settings',
  'coordinator-refused': 'settings',
  'chain-away': null,
  'vault-unreadable': 'openHelp',
  'catalogue-untrusted': null,
  'catalogue-refused': 'settings',
  'catalogue-expiring': null,
  'not-started': null,
};

describe.each(LANGUAGES)('in %s', (language) => {
  const text = textIn(language);

  it.each(Object.values(REASONS))('says why it rests: $kind', async (reason) => {
    const window = await openWindow({ presence: 'waiting', reason, running: [] }, { language });
    expect(window.root.querySelector('h1')?.textContent).toBe(text.reason(reason, momentAt(NOW)));
    expect(document.documentElement.lang).toBe(language);
  });

  it.each(PROBLEMS)('shows what is wrong and what to do about it: $kind', async (problem) => {
    const window = await openWindow({ presence: 'attention', problems: [problem] }, { language });
    const { title, advice } = text.problem(problem);
    expect(screen.getByText(title, { selector: '.notice-title' })).toBeDefined();
    expect(screen.getByText(advice)).toBeDefined();
    const remedy = window.root.querySelector<HTMLElement>('.notice-actions button');
    const expected = REMEDIES[problem.kind];
    if (expected === null) {
      expect(remedy).toBeNull();
      return;
    }
    await act(async () => {
      if (remedy !== null) fireEvent.click(remedy);
    });
    if (expected === 'resetSettings' || expected === 'openHelp') expect(window.calls(expected)).toHaveLength(1);
    else expect(window.root.querySelector('h1')?.textContent).toBe(text.window.frame[expected]);
  });

  it('shows unknown as unknown, never as nothing', async () => {
    await openWindow(
      {
        wallet: wallet({ balance: 'unknown', claimable: 'unknown' }),
        earnings: { ...snapshot(NOW).earnings, published: 'unknown', claimed: 'unknown' },
      },
      { language, view: 'earnings' },
    );
    expect(screen.getAllByText(text.window.unknown)).toHaveLength(2);
    await openWindow({ wallet: null }, { language });
    expect(screen.getAllByText(text.window.unknown).length).toBeGreaterThan(2);
  });
});

it('starts from the defaults only when asked, and says so when it could not', async () => {
  const broken = [PROBLEM['settings-broken']];
  const window = await openWindow({ presence: 'attention', problems: broken });
  window.bridge.refuse({ code: 'DISK_FULL', message: 'no space left on device' });
  expect(window.calls('resetSettings')).toEqual([]);
  await window.press(window.words.problems.reset);
  expect(window.calls('resetSettings')).toEqual([null]);
  expect(alerts().join()).toContain(window.words.failure('DISK_FULL'));
  window.bridge.accept();
  await window.press(window.words.problems.reset);
  expect(alerts()).toEqual([]);
  await window.push({ problems: [] });
  expect(window.root.textContent).not.toContain(window.words.problems.reset);
});

describe('the pause menu', () => {
  it.each([
    ['pauseHour', 'hour'],
    ['pauseTomorrow', 'tomorrow'],
    ['pauseResumed', 'resumed'],
  ] as const)('%s pauses, and the pause can be ended', async (label, choice) => {
    const window = await openWindow();
    await window.press(window.text.tray.pause);
    await act(async () => {
      fireEvent.click(screen.getByRole('menuitem', { name: window.text.tray[label] }));
    });
    expect(window.calls('pause')).toEqual([choice]);
    await window.press(window.text.tray.resume);
    expect(window.calls('resume')).toEqual([null]);
    expect(screen.queryByText(window.text.tray.resume)).toBeNull();
  });

  it('says why a pause could not be kept', async () => {
    const window = await openWindow();
    window.bridge.refuse({ code: 'SETTINGS_BROKEN', message: 'settings.json is not JSON' });
    await window.press(window.text.tray.pause);
    await act(async () => {
      fireEvent.click(screen.getByRole('menuitem', { name: window.text.tray.pauseHour }));
    });
    expect(alerts().join()).toContain(window.words.failure('SETTINGS_BROKEN'));
    expect(alerts().join()).toContain('settings.json is not JSON');
  });
});

it('switches between sharing when idle and sharing now', async () => {
  const window = await openWindow();
  await window.press(window.text.tray.shareNow);
  await window.press(window.text.tray.shareWhenIdle);
  expect(window.calls('shareMode')).toEqual(['now', 'when-idle']);
});

it('shows earnings in progress as the part of the price that is done', async () => {
  const running = [job(NOW, { progress: 0.5, price: parseTokens('0.014') })];
  const window = await openWindow({ running });
  expect(screen.getByTestId('in-progress').textContent).toBe('0.0070 PRACTICE');
  expect(window.root.querySelector('.work-price')?.textContent).toBe('Pays 0.0140 PRACTICE');
  await window.push({ running: [job(NOW, { progress: 0, price: parseTokens('0.014') })] });
  expect(screen.getByTestId('in-progress').textContent).toBe('0.0000 PRACTICE');
});

it('is a function of the snapshot: the way there leaves no trace', async () => {
  const last = {
    presence: 'waiting',
    reason: REASONS['in-use'],
    running: [],
    problems: PROBLEMS.slice(0, 2),
    earnings: { ...snapshot(NOW).earnings, today: parseTokens('0.5') },
  } as const;
  const travelled = await openWindow({ presence: 'paused', reason: REASONS.paused, wallet: null });
  await travelled.push({ presence: 'sharing', reason: null, problems: PROBLEMS });
  await travelled.push(last);
  const direct = await openWindow(last);
  await waitFor(() => expect(travelled.root.textContent).toBe(direct.root.textContent));
});

it('says that it waits for the application, and that it lost it', async () => {
  const never = new Promise<never>(() => undefined);
  const waiting = await openWindow({}, { prepare: (bridge) => Object.assign(bridge, { snapshot: () => never }) });
  expect(screen.getByRole('status').textContent).toBe(waiting.words.frame.openingDetail);
  await openWindow({}, { prepare: (bridge) => Object.assign(bridge, { snapshot: () => Promise.reject(new Error()) }) });
  expect(alerts()).toEqual([waiting.words.frame.unreachable]);
});
