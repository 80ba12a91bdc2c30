// @vitest-environment happy-dom
import { act, fireEvent, screen, within } from '@testing-library/react';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { applyPatch, defaultSettings, type SettingsPatch } from '../../../core/settings.ts';
import { textIn } from '../../../core/text/index.ts';
import { places } from '../../../renderer/views/lent.tsx';
import { keptPaths } from '../../../renderer/views/lent-days.tsx';
import type { FakeBridge } from '../../fakes/bridge.ts';
import { lender, lineDays } from '../../fakes/lending.ts';
import { alerts, aWindow, NOW, type OpenWindow, openWindow } from './open-window.tsx';

aWindow();
beforeEach(() => {
  vi.useFakeTimers({ now: NOW, toFake: ['Date', 'setTimeout', 'clearTimeout'] });
});
const rest = () => act(() => vi.advanceTimersByTimeAsync(500));
const HOUR = 3_600_000;
const words = textIn('en').window.lend;
const patches = (window: OpenWindow) => window.calls('updateSettings') as readonly SettingsPatch[];
const card = (name: string) => screen.getByRole('article', { name });
const prepare = (bridge: FakeBridge): void => {
  bridge.traffic = (days) => lineDays(NOW, days);
};

describe('the cards', () => {
  it('say how much is lent, how well it is kept, what it earns and when it is paid', async () => {
    await openWindow(lender(NOW), { prepare });
    const said = card('Storage').textContent;
    for (const part of ['31.4 GiB', 'of 50 GiB', '98.7', '0.2114', 'in 3 h 12 min', '1,284 right, 2 wrong'])
      expect(said).toContain(part);
    expect(said).toContain(words.scoreReason('passed'));
    const served = card('Bandwidth').textContent;
    for (const part of ['3.22 GiB', '6.1 GiB of 10 GiB', '0.0925', 'in 47 min', '2 readers'])
      expect(served).toContain(part);
    expect(screen.getByRole('img', { name: words.kept('31.4 GiB', '50 GiB') })).toBeDefined();
    expect(card('Bandwidth').querySelectorAll('.spark-bar')).toHaveLength(14);
  });

  it('show what nobody knows as unknown, and no score as none', async () => {
    const { settings } = lender(NOW);
    const { storage, bandwidth } = lender(NOW);
    const nothing = { earnedToday: 'unknown', nextPayoutAt: null } as const;
    await openWindow({
      ...lender(NOW),
      settings: { ...settings, language: 'en' },
      storage: {
        ...{ ...storage, ...nothing, usedBytes: 'unknown', score: null, scoreReason: null, state: 'preparing' },
        audits: { passed: 0, failed: 0 },
      },
      bandwidth: { ...bandwidth, ...nothing, cachedBytes: 'unknown', state: 'preparing', sessions: 0 },
    });
    const said = card('Storage').textContent;
    expect(said.match(/unknown/g)).toHaveLength(2);
    for (const part of [words.scoreNone, words.payoutNone, words.checksNone]) expect(said).toContain(part);
    expect(said).not.toContain('0 GiB of');
    expect(card('Bandwidth').textContent).toContain(words.readersSaid(0));
  });

  it('say why nothing is lent just now, and how long nothing new comes', async () => {
    const { lanes, storage } = lender(NOW);
    await openWindow({
      ...lender(NOW),
      lanes: lanes.map((view) =>
        view.lane === 'storage' ? { ...view, decision: { kind: 'hold', reason: { kind: 'metered' } } } : view,
      ),
      storage: { ...storage, state: 'held', suspendedUntil: NOW + HOUR, nextPayoutAt: NOW },
    });
    const said = card('Storage').textContent;
    expect(said).toContain(textIn('en').reason({ kind: 'metered' }, { now: NOW, utcOffsetMinutes: 0 }));
    expect(said).toContain(words.payoutDue);
    expect(card('Storage').querySelector('.lent-warning')?.textContent).toContain('14 Mar');
  });

  it('invite who lends nothing, and lead to where it is chosen', async () => {
    const window = await openWindow(lender(NOW, { settings: defaultSettings() }));
    expect(card('Storage').textContent).toContain(words.storageSays('off'));
    expect(card('Storage').querySelector('.shelf')).toBeNull();
    await window.press(words.begin, card('Bandwidth'));
    expect(screen.getByRole('heading', { level: 2, name: words.limits })).toBeDefined();
  });

  it('are not there where this build has nothing to lend with', async () => {
    const window = await openWindow();
    expect(screen.queryByRole('article')).toBeNull();
    await window.go('limits');
    expect(screen.queryByRole('heading', { name: words.limits })).toBeNull();
  });
});

it('the shelf fills from the first place on, and never beyond the last', () => {
  expect(places(25, 100, 4)).toEqual([1, 0, 0, 0]);
  expect(places(37.5, 100, 4)).toEqual([1, 0.5, 0, 0]);
  expect(places(900, 100, 2)).toEqual([1, 1]);
  expect(places(0, 0, 2)).toEqual([0, 0]);
});

it('the line of what was kept goes in steps, and breaks where nobody looked', () => {
  expect(keptPaths([null, 10, 20, null, 20])).toEqual({
    line: 'M1 50H2V0H3M4 0H5',
    ground: 'M1 100V50H2V0H3V100ZM4 100V0H5V100Z',
  });
  expect(keptPaths([null, null])).toEqual({ line: '', ground: '' });
});

describe('what is lent', () => {
  const limits = () => openWindow(lender(NOW, { settings: defaultSettings() }), { view: 'limits' });
  it('is switched on, and off again, for each lane on its own', async () => {
    const window = await limits();
    await act(async () => {
      fireEvent.click(screen.getByLabelText(words.storageOn));
    });
    await rest();
    await act(async () => {
      fireEvent.click(
        within(screen.getByRole('radiogroup', { name: words.bandwidthShare })).getByLabelText(words.bandwidthIdle),
      );
    });
    await rest();
    expect(patches(window)).toEqual([
      { lanes: { storage: { share: 'always' } } },
      { lanes: { bandwidth: { share: 'when-idle' } } },
    ]);
    expect(screen.getByLabelText<HTMLInputElement>(words.storageOn).checked).toBe(true);
  });

  it.each([
    [words.lendGiB, 100, { limits: { storage: { lendGiB: 100 } } }],
    [words.minFree, 5, { limits: { storage: { minFreeGiB: 5 } } }],
    [words.cacheGiB, 20, { limits: { bandwidth: { cacheGiB: 20 } } }],
  ] as const)('has a size: %s', async (label, gib, patch) => {
    const window = await limits();
    const slider = screen.getByLabelText<HTMLInputElement>(label, { selector: 'input[type=range]' });
    for (let at = 0; at <= Number(slider.max) && slider.getAttribute('aria-valuetext') !== `${gib} GiB`; at++)
      await act(async () => {
        fireEvent.change(slider, { target: { value: String(at) } });
      });
    await rest();
    expect(patches(window)).toEqual([patch]);
  });

  it('lies where the owner chose in the dialog of the system, and can go back', async () => {
    const window = await limits();
    const drive = () => screen.getByTestId('drive').textContent;
    expect(drive()).toBe(words.driveOwn);
    await window.press(words.choose);
    expect(drive()).toBe(words.driveOwn);
    window.bridge.folder = '/media/large/lent';
    await window.press(words.choose);
    expect(drive()).toBe('/media/large/lent');
    expect(window.calls('chooseFolder')).toEqual([null, null]);
    await window.press(words.driveBack);
    expect(drive()).toBe(words.driveOwn);
    window.bridge.refuse({ code: 'DISK_FULL', message: '' });
    await window.press(words.choose);
    expect(alerts().join()).toContain(words.driveFailed);
  });

  it('counts the month from the day that the owner says', async () => {
    const window = await limits();
    const slider = screen.getByLabelText<HTMLInputElement>(words.resetDay, { selector: 'input[type=range]' });
    await act(async () => {
      fireEvent.change(slider, { target: { value: '17' } });
    });
    await rest();
    expect(patches(window)).toEqual([{ limits: { network: { resetDay: 17 } } }]);
    expect(slider.getAttribute('aria-valuetext')).toBe('Day 17');
  });
});

describe('day by day', () => {
  it('shows what was kept and what passed, as a picture and as a table', async () => {
    const window = await openWindow(lender(NOW), { view: 'activity', prepare });
    expect(screen.getByRole('img', { name: words.byDayChart(words.byDayStored, 14) })).toBeDefined();
    expect(window.root.querySelectorAll('.panel .bar')).toHaveLength(14);
    await window.press(window.words.earnings.asTable);
    const rows = screen.getAllByRole('row');
    expect(rows).toHaveLength(15);
    expect(rows[0]?.textContent).toContain('Bandwidth');
    expect(rows[1]?.textContent).toMatch(/14 Mar.*31\.4 GiB/);
    await act(async () => {
      fireEvent.click(screen.getByLabelText(window.words.earnings.days(30)));
    });
    expect(window.calls('dailyTraffic').at(-1)).toEqual({ days: 30 });
    expect(screen.getAllByRole('row')).toHaveLength(31);
  });

  it('says that nothing was lent yet, and is not there where nothing can be', async () => {
    const window = await openWindow(lender(NOW, { settings: defaultSettings() }), { view: 'activity' });
    expect(window.root.textContent).toContain(words.byDayNone);
    await window.push({});
    expect(window.root.textContent).not.toContain(words.byDay);
  });

  it('in Japanese as well', async () => {
    const settings = applyPatch(lender(NOW).settings, { language: 'ja' });
    const window = await openWindow({ ...lender(NOW), settings }, { language: 'ja', prepare });
    const ja = window.words.lend;
    expect(card(window.words.lane('storage')).textContent).toContain(ja.checksSaid('1,284', '2'));
    await window.go('limits');
    expect(screen.getByLabelText(ja.storageOn)).toBeDefined();
  });
});
