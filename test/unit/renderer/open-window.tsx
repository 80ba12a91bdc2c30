import { act, cleanup, fireEvent, render, screen } from '@testing-library/react';
import { afterAll, afterEach, beforeAll, expect, vi } from 'vitest';
import type { CommandName } from '../../../core/ipc.ts';
import type { Settings } from '../../../core/settings.ts';
import { defaultSettings } from '../../../core/settings.ts';
import type { Snapshot } from '../../../core/snapshot.ts';
import { type Language, textIn } from '../../../core/text/index.ts';
import { App } from '../../../renderer/app.tsx';
import type { View } from '../../../renderer/frame.ts';
import { connect, createMirror } from '../../../renderer/store.ts';
import { FakeBridge } from '../../fakes/bridge.ts';
import { snapshot } from '../../fakes/snapshots.ts';

export const NOW = Date.UTC(2026, 2, 14, 9, 26, 53);

declare global {
  var IS_REACT_ACT_ENVIRONMENT: boolean;
}

const closing: (() => void)[] = [];

/** Stands still at `NOW`, and leaves nothing behind a test. */
export function aWindow(): void {
  beforeAll(() => {
    globalThis.IS_REACT_ACT_ENVIRONMENT = true;
    vi.useFakeTimers({ now: NOW, toFake: ['Date'] });
  });
  afterEach(() => {
    cleanup();
    for (const close of closing.splice(0)) close();
    vi.useFakeTimers({ now: NOW, toFake: ['Date'] });
  });
  afterAll(() => {
    vi.useRealTimers();
  });
}

export class OpenWindow {
  readonly bridge: FakeBridge;
  readonly root: HTMLElement;
  readonly language: Language;
  #rev = 1;

  constructor(bridge: FakeBridge, root: HTMLElement, language: Language) {
    this.bridge = bridge;
    this.root = root;
    this.language = language;
  }

  get text() {
    return textIn(this.language);
  }

  get words() {
    return this.text.window;
  }

  async push(change: Partial<Snapshot>): Promise<void> {
    this.#rev += 100;
    const next = snapshot(NOW, { settings: settingsIn(this.language), ...change, rev: this.#rev });
    await act(async () => this.bridge.push(next));
  }

  async go(view: View): Promise<void> {
    await this.press(this.words.frame[view], this.root.querySelector('nav'));
  }

  /** Presses the button of that name. */
  async press(name: string, inside: Element | null = document.body): Promise<void> {
    const all = [...(inside?.querySelectorAll('button') ?? [])];
    const button = all.find((each) => (each.getAttribute('aria-label') ?? each.textContent) === name);
    if (button === undefined) throw new Error(`no button "${name}" among: ${all.map((b) => b.textContent).join(', ')}`);
    await act(async () => {
      fireEvent.click(button);
    });
  }

  calls(name: CommandName): readonly unknown[] {
    return this.bridge.calls.filter((call) => call.name === name).map((call) => call.argument);
  }
}

const settingsIn = (language: Language): Settings => ({ ...defaultSettings(), language });

export async function openWindow(
  change: Partial<Snapshot> = {},
  { language = 'en', view = 'overview', prepare }: OpenOptions = {},
): Promise<OpenWindow> {
  const bridge = new FakeBridge(snapshot(NOW, { settings: settingsIn(language), ...change }));
  prepare?.(bridge);
  const mirror = createMirror();
  const stop = connect(mirror, bridge);
  closing.push(() => {
    stop();
    expect(bridge.listeners.size).toBe(0);
  });
  const { container } = render(<App mirror={mirror} commands={bridge.commands} />);
  await act(async () => {});
  const window = new OpenWindow(bridge, container, language);
  if (view !== 'overview') await window.go(view);
  return window;
}

type OpenOptions = {
  readonly language?: Language;
  readonly view?: View;
  readonly prepare?: (bridge: FakeBridge) => void;
};

export const alerts = (): readonly string[] => screen.queryAllByRole('alert').map((each) => each.textContent ?? '');
