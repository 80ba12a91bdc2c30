import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { SettingsStore } from '../../agent/ports.ts';
import { defaultSettings } from '../../core/settings.ts';

type Storage = {
  readonly store: SettingsStore;
  /** Replaces what is stored, as an owner with an editor does. */
  readonly edit: (text: string) => Promise<void>;
  /** What is stored; null when it cannot be read. */
  readonly stored: () => Promise<string | null>;
  /** Nothing can be written, until it can again. */
  readonly writable: (yes: boolean) => Promise<void>;
  readonly clean: () => Promise<void>;
};

/** What every settings store must do. */
export function settingsBehaviour(name: string, make: () => Promise<Storage>): void {
  describe(`settings: ${name}`, () => {
    let storage: Storage;
    beforeEach(async () => {
      storage = await make();
    });
    afterEach(() => storage.clean());
    const cpuPercent = () => storage.store.current().settings.limits.cpuPercent;
    const kind = () => storage.store.current().kind;
    const text = (percent: number) =>
      JSON.stringify({ ...defaultSettings(), limits: { ...defaultSettings().limits, cpuPercent: percent } });
    const setTo = (percent: number) =>
      storage.store.update((current) => ({ ...current, limits: { ...current.limits, cpuPercent: percent } }));

    test('begins with the defaults, changes, and tells', async () => {
      const told = vi.fn();
      storage.store.onChange(told);
      expect(storage.store.current()).toEqual({ kind: 'ok', settings: defaultSettings() });
      await setTo(20);
      expect(cpuPercent()).toBe(20);
      expect(told).toHaveBeenCalledTimes(1);
    });
    test('changes made at once are made one after the other', async () => {
      const add = () =>
        storage.store.update((current) => ({
          ...current,
          rules: { ...current.rules, idleAfterSeconds: current.rules.idleAfterSeconds + 1 },
        }));
      await Promise.all([add(), add(), add()]);
      expect(storage.store.current().settings.rules.idleAfterSeconds).toBe(
        defaultSettings().rules.idleAfterSeconds + 3,
      );
    });
    test('a change that cannot be saved is in force all the same, and is saved once that works', async () => {
      await setTo(20);
      await storage.writable(false);
      const told = vi.fn();
      storage.store.onChange(told);
      await expect(setTo(30)).rejects.toMatchObject({
        code: 'DISK_FULL',
        message: expect.stringContaining('not saved'),
      });
      expect(cpuPercent()).toBe(30);
      expect(told).toHaveBeenCalled();
      await storage.writable(true);
      await vi.waitFor(async () => expect(await storage.stored()).toContain('"cpuPercent": 30'), 10_000);
      expect(cpuPercent()).toBe(30);
    });
    test('what is not valid changes nothing', async () => {
      await expect(setTo(1000)).rejects.toMatchObject({ code: 'BAD_INPUT' });
      expect(cpuPercent()).toBe(defaultSettings().limits.cpuPercent);
    });
    test('sees an edit by hand, a broken one too, and its repair', async () => {
      await storage.edit(text(33));
      await vi.waitFor(() => expect(cpuPercent()).toBe(33));
      await storage.edit('{ "version": 1, "limits": { "cpuPercent": "much" } }');
      await vi.waitFor(() => expect(kind()).toBe('broken'));
      expect(storage.store.current()).toMatchObject({ detail: expect.stringContaining('cpuPercent') });
      await expect(setTo(20)).rejects.toMatchObject({ code: 'SETTINGS_BROKEN' });
      await storage.edit(text(44));
      await vi.waitFor(() => expect(cpuPercent()).toBe(44));
      expect(kind()).toBe('ok');
    });
    test('starts from the defaults when told', async () => {
      await storage.edit('not JSON');
      await vi.waitFor(() => expect(kind()).toBe('broken'));
      await storage.store.reset();
      expect(storage.store.current()).toEqual({ kind: 'ok', settings: defaultSettings() });
    });
  });
}
