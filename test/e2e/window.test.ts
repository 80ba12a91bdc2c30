import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from './support/app.ts';
import { FakeApp } from './support/fake-app.ts';
import { until } from './support/until.ts';

const VIEWS = ['overview', 'earnings', 'limits', 'activity', 'wallet', 'settings'] as const;
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
  ['attention', 'overview'],
  ['attention', 'earnings'],
  ['attention', 'wallet'],
  ['problems', 'overview'],
  ['problems', 'wallet'],
  ['signing', 'wallet'],
  ['confirming', 'wallet'],
  ['done', 'wallet'],
  ['failed', 'wallet'],
] as const;

const folder = mkdtempSync(join(tmpdir(), 'idlemesh-window-'));
const shots = join(ROOT, 'test-results', 'window');
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let app: FakeApp;
let page: Page;

beforeAll(async () => {
  mkdirSync(shots, { recursive: true });
  app = await FakeApp.launch(folder);
  page = app.page;
  await page.evaluate(axe);
  // Waiting for a minute of small motions would be most of this file's time.
  await page.emulateMedia({ reducedMotion: 'reduce' });
});
afterAll(async () => {
  await app?.dispose();
  rmSync(folder, { recursive: true, force: true });
});

type Violation = {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
};

/** Breaches of WCAG and of good practice that keep somebody out. */
async function barriers(): Promise<readonly string[]> {
  return await page.evaluate(async () => {
    const { axe: runner } = window as typeof window & {
      axe: { run: (options: object) => Promise<{ violations: Violation[] }> };
    };
    const { violations } = await runner.run({ resultTypes: ['violations'] });
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 160)} ${nodes[0]?.failureSummary.slice(0, 300)}`);
  });
}

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
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
  const faults = [...(await barriers()), ...(await cutOff()), ...(await endHidden()), ...app.complaints.splice(0)];
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

type Stop = { readonly at: number; readonly ring: boolean; readonly covered: boolean };

/** Numbers every control that a pointer could use; of a radio group the one that holds its place. */
const controls = (): Promise<number> =>
  page.evaluate(() => {
    const all = [
      ...document.querySelectorAll<HTMLElement>(
        'a[href], button:not(:disabled), input:not(:disabled), [role=menuitem]',
      ),
    ].filter(
      (each) =>
        each.closest('[aria-hidden=true], [inert]') === null &&
        !(each instanceof HTMLInputElement && each.type === 'radio' && each.tabIndex < 0),
    );
    for (const [at, each] of all.entries()) each.dataset['stop'] = String(at);
    return all.length;
  });

const here = (): Promise<Stop> =>
  page.evaluate(() => {
    const focused = document.activeElement;
    const drawn = focused?.closest('[data-focus-visible]') ?? focused;
    const box = drawn?.getBoundingClientRect();
    if (!(focused instanceof HTMLElement) || drawn === null || drawn === undefined || box === undefined)
      return { at: -1, ring: false, covered: true };
    const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    return {
      at: Number(focused.dataset['stop'] ?? -1),
      ring: getComputedStyle(drawn).outlineStyle !== 'none',
      covered: !(drawn.contains(top) || top?.contains(drawn) === true),
    };
  });

/** Walks with the Tab key from the top of the page until it has been everywhere. */
async function walk(): Promise<{ readonly missed: readonly number[]; readonly faults: readonly string[] }> {
  const count = await controls();
  await page.evaluate(() => {
    window.scrollTo(0, 0);
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
  });
  const missed = new Set(Array.from({ length: count }, (_, at) => at));
  const faults: string[] = [];
  for (let step = 0; step < count + 4 && missed.size > 0; step += 1) {
    await page.keyboard.press('Tab');
    const stop = await here();
    missed.delete(stop.at);
    if (stop.at >= 0 && !stop.ring) faults.push(`stop ${stop.at} shows no focus`);
    if (stop.at >= 0 && stop.covered) faults.push(`stop ${stop.at} is covered`);
  }
  return { missed: [...missed], faults };
}

const ALL_REACHED = { missed: [], faults: [] };

describe.each(WIDTHS)('by keyboard alone, %i pixels wide', (width) => {
  beforeAll(() => app.resize(width, 720));

  it('reaches every control of the overview, and opens, walks and leaves the pause menu', async () => {
    await app.show({ scene: 'sharing', theme: 'dark', language: 'en' });
    await app.go(0);
    expect(await walk()).toEqual(ALL_REACHED);
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
    await app.go(VIEWS.indexOf('wallet'));
    expect(await walk()).toEqual(ALL_REACHED);
    await page.getByRole('button', { name: 'Withdraw', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Withdraw', exact: true }).waitFor();
    expect(await walk()).toEqual(ALL_REACHED);
    await page.getByRole('radio', { name: 'My own address' }).focus();
    await page.keyboard.press('ArrowRight');
    await page.getByLabel('Recipient address').focus();
    await page.keyboard.type('0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Review the withdrawal' }).waitFor();
    expect(await walk()).toEqual(ALL_REACHED);
    expect(await barriers()).toEqual([]);
    await page.screenshot({ path: join(shots, `wallet-review-${width}-light-en.png`), fullPage: true });
  });
});
