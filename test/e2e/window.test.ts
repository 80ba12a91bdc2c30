import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { barriers } from './support/barriers.ts';
import { FakeApp, SHOTS } from './support/fake-app.ts';

const VIEWS = ['overview', 'earnings', 'limits', 'activity', 'wallet', 'proof', 'settings'] as const;
type View = (typeof VIEWS)[number];
const WIDTHS = [1040, 420] as const;
const LANGUAGES = ['en', 'ja'] as const;
const THEMES = ['dark', 'light'] as const;
/** What a view shows in another state than sharing. */
const OTHER_SCENES = [
  ['waiting', 'overview'],
  ['countdown', 'overview'],
  ['paused', 'overview'],
  ['first', 'overview'],
  ['first', 'earnings'],
  ['first', 'activity'],
  ['busy', 'overview'],
  ['busy', 'limits'],
  ['lends', 'overview'],
  ['lends', 'limits'],
  ['lends', 'activity'],
  ['plays', 'overview'],
  ['invited', 'overview'],
  ['suspended', 'overview'],
  ['attention', 'overview'],
  ['attention', 'earnings'],
  ['attention', 'wallet'],
  ['problems', 'overview'],
  ['problems', 'wallet'],
  ['signing', 'wallet'],
  ['confirming', 'wallet'],
  ['done', 'wallet'],
  ['failed', 'wallet'],
  ['proven', 'proof'],
  ['proving', 'proof'],
  ['leaked', 'proof'],
  ['leaked', 'overview'],
  ['problems', 'proof'],
] as const;

let app: FakeApp;
let page: Page;

beforeAll(async () => {
  app = await FakeApp.launch();
  page = app.page;
});
afterAll(() => app?.dispose());

/** Whatever reaches beyond the window or is cut off at its side, with nothing to scroll it by. */
async function cutOff(): Promise<readonly string[]> {
  return await page.evaluate(() => {
    const root = document.documentElement;
    const found = root.scrollWidth > root.clientWidth ? [`the page is ${root.scrollWidth} wide`] : [];
    for (const each of document.querySelectorAll<HTMLElement>('#root *:not(svg *)')) {
      const style = getComputedStyle(each);
      const forEarsOnly = each.clientWidth <= 1;
      if (forEarsOnly || style.display === 'inline' || each.closest('.skip, .mesh, thead') !== null) continue;
      const name = `${each.tagName.toLowerCase()}.${each.className}: ${each.textContent.slice(0, 40)}`;
      const scrolls = style.overflowX === 'auto';
      if (each.getBoundingClientRect().right > root.clientWidth + 1) found.push(`outside: ${name}`);
      if (scrolls && root.clientWidth < 500 && each.scrollWidth > each.clientWidth + 1) found.push(`sideways: ${name}`);
      if (style.overflowX === 'visible' && each.scrollWidth > each.clientWidth + 1) found.push(`spills: ${name}`);
      if (style.overflowX === 'hidden' && !each.matches('.hero') && each.scrollWidth > each.clientWidth + 1)
        found.push(`cut: ${name}`);
    }
    return found;
  });
}

/** The end of the content lies above the bar at the bottom once scrolled to. */
async function endHidden(): Promise<readonly string[]> {
  return await page.evaluate(() => {
    window.scrollTo(0, document.documentElement.scrollHeight);
    const rail = document.querySelector('.rail');
    const end = document.querySelector('.page');
    if (rail === null || end === null) return ['no content'];
    const hidden = end.getBoundingClientRect().bottom - rail.getBoundingClientRect().top;
    window.scrollTo(0, 0);
    return getComputedStyle(rail).position === 'fixed' && hidden > 0 ? [`the bar hides ${hidden} px of the end`] : [];
  });
}

async function faultsOf(view: View, scene: string, width: number, theme: 'dark' | 'light', language: 'en' | 'ja') {
  await app.show({ scene, theme, language });
  await app.go(VIEWS.indexOf(view));
  await app.settled();
  const name = `${view}-${scene}-${width}-${theme}-${language}`;
  await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
  const faults = [...(await barriers(page)), ...(await cutOff()), ...(await endHidden()), ...app.complaints.splice(0)];
  return faults.map((fault) => `${name}: ${fault}`);
}

describe.each(WIDTHS)('%i pixels wide', (width) => {
  beforeAll(() => app.resize(width, 720));

  it.each(VIEWS)('keeps %s whole and open to everyone in every look', async (view) => {
    const faults: string[] = [];
    for (const language of LANGUAGES)
      for (const theme of THEMES) faults.push(...(await faultsOf(view, 'sharing', width, theme, language)));
    expect(faults).toEqual([]);
  });

  it('keeps every other state whole and open to everyone', async () => {
    const faults: string[] = [];
    const [theme, language] = width === 1040 ? (['light', 'en'] as const) : (['dark', 'ja'] as const);
    for (const [scene, view] of OTHER_SCENES) faults.push(...(await faultsOf(view, scene, width, theme, language)));
    expect(faults).toEqual([]);
  });
});
