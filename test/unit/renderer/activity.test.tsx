// @vitest-environment happy-dom
import { act, fireEvent, screen } from '@testing-library/react';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { defaultSettings } from '../../../core/settings.ts';
import { APPS, busyMachine, switches } from '../../fakes/snapshots.ts';
import { alerts, aWindow, NOW, openWindow } from './open-window.tsx';

aWindow();

const withSwitches = { prepare: (bridge: { switched: unknown }) => Object.assign(bridge, { switched: switches(NOW) }) };
const rows = () => document.querySelectorAll('.switch').length;

describe('the activity', () => {
  it('says what gave way to what, and pages to the oldest', async () => {
    const window = await openWindow({}, { view: 'activity', ...withSwitches });
    expect(rows()).toBe(50);
    expect(screen.getAllByText('Gave way: Elden Ring runs').length).toBeGreaterThan(0);
    await window.press(window.words.earnings.more);
    expect(rows()).toBe(72);
    expect(window.calls('switches')).toEqual([
      { before: null, limit: 50 },
      { before: 23, limit: 50 },
    ]);
  });

  it('never minds a program again when told so, once', async () => {
    const window = await openWindow({}, { view: 'activity', ...withSwitches });
    await window.press(window.words.activity.ignore('Elden Ring'));
    expect(window.calls('updateSettings')).toEqual([{ games: { ignored: ['Elden Ring'] } }]);
    expect(screen.getByText(window.words.activity.ignored)).toBeDefined();
  });

  it('says that nothing has happened, and what failed', async () => {
    const window = await openWindow({}, { view: 'activity' });
    expect(screen.getByText(window.words.activity.none)).toBeDefined();
    await window.go('overview');
    window.bridge.refuse({ code: 'DISK_FULL', message: 'no space left on device' });
    await window.go('activity');
    expect(alerts().join()).toContain(window.words.failure('DISK_FULL'));
  });
});

describe('the lanes on the overview', () => {
  it('say one sentence each, per graphics card, and leave out what is not offered', async () => {
    const window = await openWindow(busyMachine(NOW));
    const said = [...window.root.querySelectorAll('.lane-line')].map((line) => line.textContent);
    expect(said).toHaveLength(4);
    expect(said.join('\n')).toMatch(/GeForce RTX 4080.*Elden Ring/);
    expect(said.join('\n')).toMatch(/Radeon Pro W6600.*91 °C/);
    expect(said.join('\n')).toMatch(/GTX 1060.*Docker has no way to hand it out/);
  });

  it('count down by themselves', async () => {
    vi.useFakeTimers({ now: NOW, toFake: ['Date', 'setInterval', 'clearInterval'] });
    const window = await openWindow(busyMachine(NOW));
    const calls = window.bridge.calls.length;
    expect(window.root.textContent).toContain('41 s');
    await act(() => vi.advanceTimersByTimeAsync(2000));
    expect(window.root.textContent).toContain('39 s');
    expect(window.bridge.calls).toHaveLength(calls);
  });

  it('finish the job in hand and then stop, until the owner resumes', async () => {
    const window = await openWindow();
    await window.press(window.words.drain.finish);
    expect(window.calls('finishThenStop')).toEqual([null]);
    expect(window.root.querySelector('h1')?.textContent).toBe(window.words.drain.draining);
    await window.press(window.text.tray.resume);
    expect(window.calls('resume')).toEqual([null]);
  });
});

describe('the games', () => {
  it('are learned from what runs now', async () => {
    const window = await openWindow({}, { view: 'limits', prepare: (bridge) => Object.assign(bridge, { apps: APPS }) });
    await window.press(window.words.games.learn);
    expect(screen.getByRole('dialog').textContent).toContain('eldenring.exe');
    await window.press(`${window.words.games.add} – Tux Kart`);
    expect(window.calls('updateSettings')).toEqual([{ games: { own: ['Tux Kart'], ignored: [] } }]);
  });

  it('are added by name, never twice, and removed', async () => {
    const window = await openWindow({}, { view: 'limits' });
    const { games } = window.words;
    const field = screen.getByLabelText(`${games.name} – ${games.own}`);
    const add = async (value: string) => {
      await act(async () => {
        fireEvent.change(field, { target: { value } });
      });
      await window.press(`${games.add} – ${games.own}`);
    };
    await add('stardew');
    await add('Stardew');
    expect(alerts()).toEqual([games.already]);
    await add('x');
    expect(alerts()).toEqual([games.short]);
    await window.press(games.remove('stardew'));
    expect(window.calls('updateSettings')).toEqual([{ games: { own: ['stardew'] } }, { games: { own: [] } }]);
  });
});

describe('the hours', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: NOW, toFake: ['Date', 'setTimeout', 'clearTimeout'] });
  });
  const place = (day: number, hour: number) =>
    document.querySelector<HTMLElement>(`[data-place="${day} ${hour}"]`) ?? document.body;
  const open = {
    ...defaultSettings(),
    schedule: { timeZone: 'UTC', week: Array.from({ length: 7 }, () => '0'.repeat(24)) },
  };
  const saved = async (window: Awaited<ReturnType<typeof openWindow>>) => {
    await act(() => vi.advanceTimersByTimeAsync(500));
    return window.calls('updateSettings').at(-1);
  };

  it('are painted by dragging, and sent once', async () => {
    const window = await openWindow({ settings: open }, { view: 'limits' });
    await act(async () => {
      fireEvent.pointerDown(place(1, 2));
      fireEvent.pointerOver(place(1, 3));
      fireEvent.pointerOver(place(1, 4));
      fireEvent.pointerUp(place(1, 4));
      fireEvent.pointerOver(place(1, 5));
    });
    expect(await saved(window)).toMatchObject({ schedule: { timeZone: 'UTC' } });
    const { schedule } = (await window.bridge.snapshot()).settings;
    expect(schedule?.week[1]).toBe(`00111${'0'.repeat(19)}`);
    expect(window.calls('updateSettings')).toHaveLength(1);
  });

  it('are painted by keyboard, a whole day from its heading', async () => {
    const window = await openWindow({ settings: open }, { view: 'limits' });
    const key = (name: string, shiftKey = false) =>
      act(async () => {
        fireEvent.keyDown(document.querySelector('.week') ?? document.body, { key: name, shiftKey });
      });
    await key(' ');
    await key('ArrowRight', true);
    await key('ArrowDown');
    await key('ArrowLeft');
    await key('ArrowLeft');
    await key(' ');
    await saved(window);
    const { schedule } = (await window.bridge.snapshot()).settings;
    expect(schedule?.week.slice(0, 3)).toEqual([`11${'0'.repeat(22)}`, '1'.repeat(24), '0'.repeat(24)]);
    expect(document.activeElement).toBe(place(1, -1));
  });

  it('say when they open next, and can be left altogether', async () => {
    const window = await openWindow({ settings: open }, { view: 'limits' });
    const { schedule } = window.words;
    expect(screen.getByText(schedule.opensNever)).toBeDefined();
    await window.press(schedule.all);
    expect(screen.getByText(schedule.openAlways)).toBeDefined();
    await act(async () => {
      fireEvent.click(screen.getByLabelText(schedule.on));
    });
    expect(await saved(window)).toEqual({ schedule: null });
  });
});
