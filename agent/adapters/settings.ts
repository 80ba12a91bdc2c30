import { type FSWatcher, mkdirSync, watch } from 'node:fs';
import { rename } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { asFailure, fail } from '../../core/errors.ts';
import { defaultSettings, parseSettings, type Settings, settingsSchema } from '../../core/settings.ts';
import type { Log, SettingsState, SettingsStore } from '../ports.ts';
import { readIfThere, writeFileAtomic } from './files.ts';

/** Editors write a file in several steps. */
const QUIET_MS = 50;
const SAVE_AGAIN_MS = 2_000;

const encode = (settings: Settings): string => `${JSON.stringify(settings, null, 2)}\n`;

/** The settings in one file that may be edited by hand. A file that cannot be read is never overwritten. */
export async function openSettings(options: {
  readonly path: string;
  readonly log: Log;
  /** Of a file that is not there yet. */
  readonly initial?: (defaults: Settings) => Settings;
}): Promise<SettingsStore> {
  const { path, log } = options;
  const listeners = new Set<() => void>();
  let state: SettingsState;
  let text: string | null;
  let queue: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  /** Runs while what is in force is not in the file. */
  let saving: NodeJS.Timeout | undefined;
  let closed = false;
  let watcher: FSWatcher | null = null;

  function interpret(read: string): SettingsState {
    try {
      return { kind: 'ok', settings: parseSettings(JSON.parse(read)) };
    } catch (error) {
      const detail = asFailure(error).message;
      return { kind: 'broken', settings: defaultSettings(), path, detail };
    }
  }

  async function save(settings: Settings): Promise<void> {
    become({ kind: 'ok', settings });
    await write(settings);
  }

  async function write(settings: Settings): Promise<void> {
    clearTimeout(saving);
    const next = encode(settings);
    try {
      await writeFileAtomic(path, next);
      text = next;
    } catch (error) {
      const { message } = asFailure(error);
      log('warn', 'settings-unsaved', { detail: message });
      if (!closed) saving = setTimeout(() => inTurn(saveAgain).catch(() => undefined), SAVE_AGAIN_MS);
      fail('DISK_FULL', `it is in force, but it was not saved and would not outlast a restart: ${message}`, {}, error);
    }
  }

  async function saveAgain(): Promise<void> {
    const before = state;
    await reread();
    if (state === before && state.kind === 'ok') await write(state.settings);
  }

  function become(next: SettingsState): void {
    state = next;
    for (const listener of [...listeners]) listener();
  }

  async function reread(): Promise<void> {
    const read = await readIfThere(path).catch((error: unknown) => {
      log('warn', 'settings-unread', { detail: asFailure(error).message });
      return text;
    });
    if (read === text) return;
    text = read;
    clearTimeout(saving);
    // Deleted by hand: what was in force stays in force and is written with the next change.
    if (read === null) return;
    const next = interpret(read);
    log(next.kind === 'ok' ? 'info' : 'error', 'settings-edited', { kind: next.kind });
    become(next);
  }

  /** One change after the other: each sees the one before. */
  function inTurn(work: () => Promise<void>): Promise<void> {
    const mine = queue.then(work);
    queue = mine.catch(() => undefined);
    return mine;
  }

  text = await readIfThere(path);
  if (text === null) {
    const first = settingsSchema.parse((options.initial ?? ((settings) => settings))(defaultSettings()));
    state = { kind: 'ok', settings: first };
    text = encode(first);
    await writeFileAtomic(path, text);
  } else {
    state = interpret(text);
    if (state.kind === 'broken') log('error', 'settings-broken', { detail: state.detail });
  }

  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // The folder, not the file: replacing a file ends a watch on it.
  watcher = watch(dirname(path), (_event, name) => {
    if (name !== null && name !== basename(path)) return;
    clearTimeout(timer);
    timer = setTimeout(() => void inTurn(reread), QUIET_MS);
  });
  watcher.on('error', (error) => log('warn', 'settings-unwatched', { detail: error.message }));

  return {
    current: () => state,
    update: (change) =>
      inTurn(async () => {
        await reread();
        if (state.kind === 'broken') {
          fail('SETTINGS_BROKEN', `${path} cannot be read: ${state.detail}. Correct it or start from the defaults.`);
        }
        const next = settingsSchema.safeParse(change(state.settings));
        if (!next.success) fail('BAD_INPUT', next.error.issues[0]?.message ?? 'not valid');
        await save(next.data);
      }),
    reset: () =>
      inTurn(async () => {
        if (state.kind === 'broken') await rename(path, `${path}.broken-${Date.now()}`);
        await save(defaultSettings());
      }),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      closed = true;
      clearTimeout(timer);
      clearTimeout(saving);
      watcher?.close();
      listeners.clear();
    },
  };
}
