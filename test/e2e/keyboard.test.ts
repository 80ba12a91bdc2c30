import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { barriers } from './support/barriers.ts';
import { FakeApp, SHOTS } from './support/fake-app.ts';
import { until } from './support/until.ts';
import { ALL_REACHED, walk } from './support/walk.ts';

/** Places in the navigation. */
const OVERVIEW = 0;
const LIMITS = 2;
const ACTIVITY = 3;
const WALLET = 4;
const WIDTHS = [1040, 420] as const;
/** More than any page has controls. */
const MANY = 100;

let app: FakeApp;
let page: Page;

beforeAll(async () => {
  app = await FakeApp.launch();
  page = app.page;
});
afterAll(() => app?.dispose());

// What a failed test left open would keep the others out.
afterEach(() => page.keyboard.press('Escape'));

const holdsFocus = (place: Locator): Promise<boolean> =>
  place.evaluate((element) => element.contains(document.activeElement));

/** Goes on with the Tab key until `control` has the focus. */
async function reach(control: Locator): Promise<void> {
  for (let pressed = 0; pressed < MANY; pressed += 1) {
    if (await holdsFocus(control)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`the Tab key never came to ${control}`);
}

describe.each(WIDTHS)('by keyboard alone, %i pixels wide', (width) => {
  beforeAll(() => app.resize(width, 720));

  it('reaches every control of the overview, and opens, walks and leaves the pause menu', async () => {
    await app.show({ scene: 'sharing', theme: 'dark', language: 'en' });
    await app.go(OVERVIEW);
    expect(await walk(page)).toEqual(ALL_REACHED);
    const pause = page.getByRole('button', { name: 'Pause' });
    await pause.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('menu').waitFor();
    const focused = () => page.evaluate(() => document.activeElement?.textContent);
    await until('the first length of a pause', async () => (await focused()) === 'For 1 hour');
    await page.keyboard.press('ArrowDown');
    await until('the second length of a pause', async () => (await focused()) === 'Until tomorrow');
    await page.keyboard.press('Escape');
    await page.getByRole('menu').waitFor({ state: 'detached' });
    await until('the button again', async () => (await focused())?.startsWith('Pause'));
  });

  it('reaches every control of the wallet, and walks through a withdrawal to its review', async () => {
    await app.show({ scene: 'sharing', theme: 'light', language: 'en' });
    await app.go(WALLET);
    expect(await walk(page)).toEqual(ALL_REACHED);
    await page.getByRole('button', { name: 'Withdraw', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Withdraw', exact: true }).waitFor();
    expect(await walk(page)).toEqual(ALL_REACHED);
    await page.getByRole('radio', { name: 'My own address' }).focus();
    await page.keyboard.press('ArrowRight');
    await page.getByLabel('Recipient address').focus();
    await page.keyboard.type('0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Review the withdrawal' }).waitFor();
    expect(await walk(page)).toEqual(ALL_REACHED);
    expect(await barriers(page)).toEqual([]);
    await page.screenshot({ path: join(SHOTS, `wallet-review-${width}-light-en.png`), fullPage: true });
  });

  it('reaches every control of the limits', async () => {
    for (const [scene, theme, language] of [
      ['sharing', 'dark', 'ja'],
      ['busy', 'light', 'en'],
    ] as const) {
      await app.show({ scene, theme, language });
      await app.go(LIMITS);
      await page.locator('#games').waitFor();
      expect(await walk(page)).toEqual(ALL_REACHED);
    }
  });

  it('reaches every control of the activity', async () => {
    await app.show({ scene: 'sharing', theme: 'dark', language: 'en' });
    await app.go(ACTIVITY);
    await page.getByRole('button', { name: 'Show older' }).waitFor();
    expect(await walk(page)).toEqual(ALL_REACHED);
    const row = page.getByRole('listitem').filter({ hasText: 'Elden Ring runs' }).first();
    await reach(row.getByRole('button', { name: 'Never mind Elden Ring again' }));
    await page.keyboard.press('Enter');
    await row.getByText('Not minded any more').waitFor();
    await until('the focus still in the row', () => holdsFocus(row));
  });

  it('learns a program as a game, forgets it, and never loses its place', async () => {
    await app.show({ scene: 'busy', theme: 'light', language: 'en' });
    await app.go(LIMITS);
    const learn = page.getByRole('button', { name: 'Learn a program that runs now' });
    await learn.focus();
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Which program is a game?' });
    await dialog.waitFor();
    await until('the focus inside', () => holdsFocus(dialog));
    await app.settled();
    expect(await barriers(page)).toEqual([]);
    await page.screenshot({ path: join(SHOTS, `limits-learn-${width}-light-en.png`) });

    await reach(dialog.getByRole('button', { name: 'Add – Blender' }));
    await page.keyboard.press('Enter');
    await dialog.getByRole('listitem').filter({ hasText: 'Blender' }).getByText('Known as a game').waitFor();
    await until('the focus still inside', () => holdsFocus(dialog));
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await until('the button again', () => holdsFocus(learn));

    const own = page.locator('div.names').filter({ has: page.getByRole('heading', { name: 'Also treat as a game' }) });
    const entry = own.getByRole('listitem').filter({ hasText: 'Blender' });
    await entry.waitFor();
    await reach(page.getByRole('button', { name: 'Remove Blender' }));
    await page.keyboard.press('Enter');
    await entry.waitFor({ state: 'detached' });
    expect(await own.getByRole('listitem').allTextContents()).toEqual(['stardew', 'My Own Engine']);
    await until('the focus still in the list', () => holdsFocus(own));

    await learn.focus();
    await page.keyboard.press('Enter');
    await dialog.getByRole('button', { name: 'Add – Blender' }).waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await until('the button again', () => holdsFocus(learn));
  });
});
