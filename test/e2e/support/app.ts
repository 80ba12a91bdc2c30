import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { _electron, type ElectronApplication, type Page } from 'playwright-core';
import { until } from './until.ts';

export const ROOT = join(import.meta.dirname, '..', '..', '..');

/** The Electron program that set-up chose. */
function electronProgram(): string {
  const folder = process.env['ELECTRON_OVERRIDE_DIST_PATH'] ?? join(ROOT, 'node_modules', 'electron', 'dist');
  const names = { win32: 'electron.exe', darwin: 'Electron.app/Contents/MacOS/Electron' } as const;
  const program = join(
    folder,
    process.platform === 'win32' || process.platform === 'darwin' ? names[process.platform] : 'electron',
  );
  if (!existsSync(program)) throw new Error(`no Electron at ${program}; run "npm run e2e", which brings it`);
  return program;
}

export type Launch = {
  readonly dataDir: string;
  /** Folder with the app's package.json; the project by default. */
  readonly app?: string;
  readonly words?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
};

/** The real app in a real Electron, driven from outside. */
export class App {
  readonly #electron: ElectronApplication;
  readonly #child: ChildProcess;
  readonly launchedAt: number;

  private constructor(electron: ElectronApplication, launchedAt: number) {
    this.#electron = electron;
    // Playwright forgets it when the app ends.
    this.#child = electron.process();
    this.launchedAt = launchedAt;
  }

  static async launch({ dataDir, app = ROOT, words = [], env = {} }: Launch): Promise<App> {
    const launchedAt = performance.now();
    const electron = await _electron.launch({
      executablePath: electronProgram(),
      args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), app, `--idlemesh-data=${dataDir}`, ...words],
      env: { ...withoutNoise(process.env), LANG: 'en_US.UTF-8', LANGUAGE: 'en', ...env },
      timeout: 30_000,
    });
    return new App(electron, launchedAt);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The window, once it shows the state of the device. */
  async window(): Promise<Page> {
    const page = this.#electron.windows().at(-1) ?? (await this.#electron.waitForEvent('window', { timeout: 20_000 }));
    await page.waitForLoadState('domcontentloaded');
    return page;
  }

  /** Closes the window as its frame's button would. */
  async closeWindow(): Promise<void> {
    await this.#electron.evaluate(({ BrowserWindow }) => {
      for (const window of BrowserWindow.getAllWindows()) window.close();
    });
  }

  /** Takes it off the screen without closing it, as minimising does. */
  async hideWindow(): Promise<void> {
    await this.#electron.evaluate(({ BrowserWindow }) => {
      for (const window of BrowserWindow.getAllWindows()) window.hide();
    });
  }

  windows(): Promise<
    readonly { readonly visible: boolean; readonly bounds: { x: number; y: number; width: number; height: number } }[]
  > {
    return this.#electron.evaluate(({ BrowserWindow }) =>
      BrowserWindow.getAllWindows().map((window) => ({ visible: window.isVisible(), bounds: window.getBounds() })),
    );
  }

  async resize(bounds: {
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
  }): Promise<void> {
    await this.#electron.evaluate(({ BrowserWindow }, wanted) => {
      BrowserWindow.getAllWindows()[0]?.setBounds(wanted);
    }, bounds);
  }

  /** Kinds of the app's processes: Browser, GPU, Utility, and Tab for a renderer. */
  processes(): Promise<readonly string[]> {
    return this.#electron.evaluate(({ app }) => app.getAppMetrics().map((metric) => String(metric.type)));
  }

  async withoutRenderer(): Promise<readonly string[]> {
    return until('no renderer left', async () => {
      const kinds = await this.processes();
      return kinds.includes('Tab') ? null : kinds;
    });
  }

  /** Resolves with the exit code, however the app ends. */
  ended(): Promise<number | null> {
    const child = this.#child;
    if (child.exitCode !== null) return Promise.resolve(child.exitCode);
    return new Promise((resolve) => child.once('exit', resolve));
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it if it still runs, whatever state it is in. */
  async dispose(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = this.ended();
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 12_000);
    await ended;
    clearTimeout(timer);
  }
}

/** A test runner's own settings are not the app's. */
function withoutNoise(environment: NodeJS.ProcessEnv): Record<string, string> {
  const { NODE_OPTIONS: _options, VITEST: _vitest, ...rest } = environment;
  return Object.fromEntries(Object.entries(rest).filter((pair): pair is [string, string] => pair[1] !== undefined));
}
