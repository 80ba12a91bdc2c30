import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { textIn } from '../../../core/text/index.ts';
import { type App, ROOT } from './app.ts';
import { snapshotIn } from './device.ts';
import { until } from './until.ts';

const FOLDER = join(ROOT, 'test-results', 'screens');
const VIEWS = ['overview', 'earnings', 'limits', 'activity', 'wallet', 'proof', 'settings'] as const;
const LOOKS = [
  { name: 'light-en', theme: 'light', language: 'en', width: 1120, height: 800 },
  { name: 'dark-en', theme: 'dark', language: 'en', width: 1120, height: 800 },
  { name: 'light-ja', theme: 'light', language: 'ja', width: 1120, height: 800 },
  { name: 'dark-ja-narrow', theme: 'dark', language: 'ja', width: 440, height: 800 },
] as const;

/** A picture of every view in every look; leaves the window in English and dark. */
export async function photograph(app: App, page: Page): Promise<void> {
  mkdirSync(FOLDER, { recursive: true });
  for (const { name, theme, language, width, height } of [...LOOKS, LOOKS[1]]) {
    await page.evaluate((patch) => globalThis.idlemesh.commands.updateSettings(patch), { theme, language });
    await app.resize({ x: 20, y: 20, width, height });
    await until(`the look ${name}`, async () => {
      const { settings } = await snapshotIn(page);
      const shown = await page.evaluate(() => ({
        theme: document.documentElement.dataset['theme'],
        width: window.innerWidth,
      }));
      return settings.language === language && shown.theme === theme && Math.abs(shown.width - width) < 8;
    });
    const words = textIn(language).window.frame;
    for (const view of VIEWS) {
      await page.getByRole('navigation').getByRole('button', { name: words[view], exact: true }).click();
      await page.getByRole('heading', { level: 1 }).first().waitFor();
      await page.screenshot({ path: join(FOLDER, `${view}-${name}.png`), animations: 'disabled' });
    }
  }
}
