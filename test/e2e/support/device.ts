import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { z } from 'zod';
import type { Bridge, EarningsPage } from '../../../core/ipc.ts';
import type { Snapshot } from '../../../core/snapshot.ts';
import { QUIET } from '../../support/quiet.ts';
import { App, ROOT } from './app.ts';
import type { TrayHost, TrayItem } from './tray.ts';
import { until } from './until.ts';

declare global {
  var idlemesh: Bridge;
}

/** The catalogue that set-up has signed, and the keys that it made for that. */
const PRACTICE_CATALOGUE = [
  `--idlemesh-catalogue=${join(ROOT, '.cache', 'catalogue.json')}`,
  `--idlemesh-catalogue-keys=${join(ROOT, '.cache', 'catalogue-keys.json')}`,
];

export type DeviceOptions = {
  readonly coordinatorUrl: string;
  readonly idleAfterSeconds?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly words?: readonly string[];
};

/** A machine with the app on it: its folder survives restarts, kills and repairs. */
export class TestDevice {
  readonly dataDir: string;
  readonly #host: TrayHost;
  readonly #options: DeviceOptions;
  #running: App | null = null;

  constructor(host: TrayHost, options: DeviceOptions) {
    this.dataDir = mkdtempSync(join(tmpdir(), 'idlemesh-device-'));
    this.#host = host;
    this.#options = options;
  }

  async start(): Promise<{ readonly app: App; readonly tray: TrayItem }> {
    this.#choose();
    const before = this.#host.count;
    const app = await App.launch({
      dataDir: this.dataDir,
      words: [...PRACTICE_CATALOGUE, ...(this.#options.words ?? [])],
      env: { XDG_CONFIG_HOME: join(this.dataDir, 'config'), ...this.#options.env },
    });
    this.#running = app;
    return { app, tray: await this.#host.item(before) };
  }

  /** Writes its settings, unless it has some. */
  #choose(): void {
    const { coordinatorUrl, idleAfterSeconds = 86_400 } = this.#options;
    const file = join(this.dataDir, 'settings.json');
    if (existsSync(file)) return;
    const settings = { version: 3, coordinatorUrl, rules: { idleAfterSeconds, ...QUIET } };
    writeFileSync(file, JSON.stringify(settings, null, 2));
  }

  /** Its address, from the file that the app keeps it in. */
  device(): string {
    return z.object({ device: z.string() }).parse(JSON.parse(readFileSync(join(this.dataDir, 'vault.json'), 'utf8')))
      .device;
  }

  async stop(): Promise<void> {
    await this.#running?.dispose();
  }

  async discard(): Promise<void> {
    await this.stop();
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

export const snapshotIn = (page: Page): Promise<Snapshot> => page.evaluate(() => globalThis.idlemesh.snapshot());

/** The newest entries of the device's history. */
export const historyIn = (page: Page): Promise<EarningsPage['entries']> =>
  page.evaluate(async () => {
    const outcome = await globalThis.idlemesh.commands.earnings({ before: null, limit: 200 });
    return outcome.ok ? outcome.value.entries : [];
  });

/** The device's address, once its wallet is open. */
export const deviceIn = (page: Page): Promise<string> =>
  until('an open wallet', async () => (await snapshotIn(page)).wallet?.device);
