// @vitest-environment happy-dom
import { act, fireEvent, screen } from '@testing-library/react';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { defaultSettings, type SettingsPatch } from '../../../core/settings.ts';
import { textIn } from '../../../core/text/index.ts';
import { alerts, aWindow, NOW, type OpenWindow, openWindow } from './open-window.tsx';

aWindow();
beforeEach(() => {
  vi.useFakeTimers({ now: NOW, toFake: ['Date', 'setTimeout', 'clearTimeout'] });
});

const REST_MS = 500;
const rest = () => act(() => vi.advanceTimersByTimeAsync(REST_MS));
const all = textIn('en').window;
const words = all.limits;
const slider = (label: string) => screen.getByLabelText<HTMLInputElement>(label, { selector: 'input[type=range]' });
const sayingOf = (label: string) => slider(label).getAttribute('aria-valuetext');

async function drag(label: string, ...stops: readonly number[]): Promise<void> {
  for (const stop of stops)
    await act(async () => {
      fireEvent.change(slider(label), { target: { value: String(stop) } });
    });
}
const patches = (window: OpenWindow) => window.calls('updateSettings') as readonly SettingsPatch[];

describe('a slider of the limits', () => {
  it.each([
    [words.processor, 75, { limits: { cpuPercent: 75 } }, '75 % · 12 cores'],
    [words.memory, 4096, { limits: { memoryMiB: 4096 } }, '4 GiB'],
    [words.disk, 10_240, { limits: { minFreeDiskMiB: 10_240 } }, '10 GiB'],
    [all.images.budget, 20_480, { limits: { imagesMiB: 20_480 } }, '20 GiB'],
    [words.idle, 5, { rules: { idleAfterSeconds: 300 } }, '5 min'],
  ] as const)('%s shows its value at once and sends it once, when the hand rests', async (label, to, patch, said) => {
    const window = await openWindow({}, { view: 'limits' });
    const [min, step] = [Number(slider(label).min), Number(slider(label).step)];
    await drag(label, min, min + step, to);
    expect(sayingOf(label)).toBe(said);
    expect(patches(window)).toEqual([]);
    await rest();
    expect(patches(window)).toEqual([patch]);
    await rest();
    expect(patches(window)).toEqual([patch]);
    expect(sayingOf(label)).toBe(said);
    expect(alerts()).toEqual([]);
  });

  it('goes back, and says why, when the change is refused', async () => {
    const window = await openWindow({}, { view: 'limits' });
    window.bridge.refuse({ code: 'DISK_FULL', message: 'no space left on device' });
    await drag(words.processor, 90);
    expect(slider(words.processor).value).toBe('90');
    await rest();
    expect(slider(words.processor).value).toBe('50');
    const said = alerts().join();
    expect(said).toContain(words.failed);
    expect(said).toContain(window.words.failure('DISK_FULL'));
    window.bridge.accept();
    await drag(words.processor, 80);
    await rest();
    expect(slider(words.processor).value).toBe('80');
    expect(alerts()).toEqual([]);
  });

  it('follows a change that came from elsewhere', async () => {
    const window = await openWindow({}, { view: 'limits' });
    const settings = defaultSettings();
    await window.push({ settings: { ...settings, language: 'en', limits: { ...settings.limits, cpuPercent: 25 } } });
    expect(sayingOf(words.processor)).toBe('25 % · 4 cores');
  });
});

describe('a switch of the limits', () => {
  it('acts at once', async () => {
    const window = await openWindow({}, { view: 'limits' });
    await act(async () => {
      fireEvent.click(screen.getByLabelText(words.battery));
    });
    await rest();
    expect(patches(window)).toEqual([{ rules: { shareOnBattery: true } }]);
    expect(screen.getByLabelText<HTMLInputElement>(words.battery).checked).toBe(true);
  });

  it('is closed for what this device cannot offer yet', async () => {
    await openWindow({}, { view: 'limits' });
    expect(screen.getByLabelText<HTMLInputElement>('Graphics card').disabled).toBe(true);
    expect(screen.getByLabelText<HTMLInputElement>('Storage').checked).toBe(false);
    expect(screen.getByRole('radiogroup', { name: 'Processor' })).toBeDefined();
  });
});

describe('when the machine is given back', () => {
  const yielding = all.yielding;
  it('can be told that a threshold never matters, and back', async () => {
    const window = await openWindow({}, { view: 'limits' });
    const last = Number(slider(yielding.heat).max);
    await drag(yielding.heat, last);
    await rest();
    expect(patches(window)).toEqual([{ rules: { maxTemperatureC: null } }]);
    expect(sayingOf(yielding.heat)).toBe(yielding.off);
    await drag(yielding.heat, 0);
    await rest();
    expect(patches(window).at(-1)).toEqual({ rules: { maxTemperatureC: 60 } });
  });

  it('gives of the line what is set, and says what this month has used', async () => {
    const traffic = {
      ...{
        monthBytesIn: 3.25 * 1024 ** 3,
        monthBytesOut: 1024 ** 3,
        capBytes: null,
        resetsAt: Date.UTC(2026, 11, 1, 12),
      },
      ...{ inPerSecond: 250_000, outPerSecond: 0 },
    };
    const window = await openWindow({ traffic }, { view: 'limits' });
    const words = all.network;
    expect(document.body.textContent).toContain(words.used('3.3 GiB', '1 GiB', '1 December'));
    expect(document.body.textContent).toContain(words.now('2 Mbit/s', '0 Mbit/s'));
    expect(sayingOf(words.idleUp)).toBe('20 Mbit/s');
    await drag(words.idleUp, Number(slider(words.idleUp).max));
    await rest();
    await drag(words.cap, 0);
    await rest();
    expect(patches(window).slice(-2)).toEqual([
      { limits: { network: { idleUpMbps: null } } },
      { limits: { network: { monthlyCapGiB: 10 } } },
    ]);
  });

  it('is chosen for each lane, and its own idle time can be taken back', async () => {
    const window = await openWindow({}, { view: 'limits' });
    await act(async () => {
      fireEvent.click(screen.getByLabelText(yielding.always));
    });
    await rest();
    expect(patches(window)).toEqual([{ lanes: { cpu: { share: 'always' } } }]);
    const own = `${yielding.ownIdle} – Processor`;
    await drag(own, 1);
    await rest();
    expect(sayingOf(own)).toBe('10 s');
    await drag(own, 0);
    await rest();
    expect(sayingOf(own)).toBe(yielding.asGeneral('3 min'));
  });
});

describe('the settings', () => {
  const settingsWords = textIn('en').window.settings;
  it('change language and theme with one command each', async () => {
    const window = await openWindow({}, { view: 'settings' });
    await act(async () => {
      fireEvent.click(screen.getByLabelText('日本語'));
    });
    await rest();
    expect(patches(window)).toEqual([{ language: 'ja' }]);
    expect(document.documentElement.lang).toBe('ja');
    await act(async () => {
      fireEvent.click(screen.getByLabelText('夜'));
    });
    await rest();
    expect(document.documentElement.dataset['theme']).toBe('dark');
  });

  it('take a coordinator only when it is an address, and only when told to', async () => {
    const window = await openWindow({}, { view: 'settings' });
    const field = screen.getByLabelText(settingsWords.coordinator);
    const type = (value: string) =>
      act(async () => {
        fireEvent.change(field, { target: { value } });
      });
    await type('ftp://mesh.example');
    expect(screen.getByText(settingsWords.coordinatorWrong)).toBeDefined();
    expect(screen.getByText<HTMLButtonElement>(settingsWords.save).disabled).toBe(true);
    await type(' https://mesh.example ');
    expect(patches(window)).toEqual([]);
    await window.press(settingsWords.save);
    expect(patches(window)).toEqual([{ coordinatorUrl: 'https://mesh.example' }]);
    expect(screen.queryByText(settingsWords.save)).toBeNull();
  });
});
