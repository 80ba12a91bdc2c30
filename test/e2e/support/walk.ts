import type { CDPSession, Page } from 'playwright-core';

type Key = 'Tab' | 'Shift+Tab';
type Stop = {
  readonly at: number;
  readonly ring: boolean;
  readonly covered: boolean;
  /** In the page, however far it is scrolled; null: fixed in the window, or outside the content. */
  readonly box: { readonly left: number; readonly right: number; readonly top: number; readonly bottom: number } | null;
};

export type Walk = { readonly missed: readonly number[]; readonly faults: readonly string[] };
export const ALL_REACHED: Walk = { missed: [], faults: [] };

/** Numbers every control that a pointer could use, in the order of the document; of a group with one stop the one that holds it. */
const controls = (page: Page): Promise<number> =>
  page.evaluate(() => {
    for (const each of document.querySelectorAll<HTMLElement>('[data-stop]')) delete each.dataset['stop'];
    const all = [
      ...document.querySelectorAll<HTMLElement>(
        'a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), [role=menuitem], [tabindex="0"]',
      ),
    ].filter(
      (each) =>
        each.closest('[aria-hidden=true], [inert]') === null &&
        !(each instanceof HTMLInputElement && each.type === 'radio' && each.tabIndex < 0),
    );
    for (const [at, each] of all.entries()) each.dataset['stop'] = String(at);
    return all.length;
  });

const here = (page: Page): Promise<Stop> =>
  page.evaluate(() => {
    const focused = document.activeElement;
    const drawn = focused?.closest('[data-focus-visible]') ?? focused;
    const box = drawn?.getBoundingClientRect();
    if (!(focused instanceof HTMLElement) || drawn === null || drawn === undefined || box === undefined)
      return { at: -1, ring: false, covered: true, box: null };
    const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    const hasRing = (each: Element): boolean => {
      const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(each);
      const seen = Number.parseFloat(outlineWidth) >= 2 && !/^transparent$|, 0\)$|\/ 0\)$/.test(outlineColor);
      return outlineStyle !== 'none' && seen;
    };
    // The input of a switch is there for the ears only; what is drawn in its place, or a part of that, wears the ring.
    const parts = [drawn, ...drawn.querySelectorAll('*')].filter((each) => each === drawn || each !== focused);
    const inPage = focused.closest('.page') !== null;
    return {
      at: Number(focused.dataset['stop'] ?? -1),
      ring: parts.some(hasRing),
      covered: !(drawn.contains(top) || top?.contains(drawn) === true),
      box: inPage ? { left: box.left, right: box.right, top: box.top + scrollY, bottom: box.bottom + scrollY } : null,
    };
  });

/** What a screen reader calls the focused control, as the browser itself works it out. */
async function nameHere(session: CDPSession): Promise<string> {
  const { result } = await session.send('Runtime.evaluate', { expression: 'document.activeElement' });
  if (result.objectId === undefined) return '';
  const { objectId } = result;
  const { nodes } = await session.send('Accessibility.getPartialAXTree', { objectId, fetchRelatives: false });
  return String(nodes[0]?.name?.value ?? '').trim();
}

/** Going up the page within one column is going back. */
const isBack = (from: Stop['box'], to: Stop['box']): boolean =>
  from !== null && to !== null && to.bottom <= from.top && to.left < from.right;

/**
 * Goes round the page with one key until it is where it began, and names what is missed, cannot be seen to have the focus, has no
 * name, or comes out of the reading order.
 */
async function round(page: Page, session: CDPSession, key: Key): Promise<Walk> {
  const count = await controls(page);
  await page.evaluate(() => {
    window.scrollTo(0, 0);
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
  });
  const missed = new Set(Array.from({ length: count }, (_, at) => at));
  const faults: string[] = [];
  const step = key === 'Tab' ? 1 : count - 1;
  let before: Stop | null = null;
  for (let pressed = 0; pressed < count + 4; pressed += 1) {
    await page.keyboard.press(key);
    const stop = await here(page);
    // Between the last control and the first the focus may be on the page as a whole.
    if (stop.at < 0) continue;
    const name = await nameHere(session);
    const said = `stop ${stop.at} (${name})`;
    if (name === '') faults.push(`${said} has no name`);
    if (!stop.ring) faults.push(`${said} shows no focus`);
    if (stop.covered) faults.push(`${said} is covered`);
    if (before !== null && stop.at !== (before.at + step) % count) faults.push(`${said} comes after ${before.at}`);
    const [first, second] = key === 'Tab' ? [before, stop] : [stop, before];
    if (first !== null && second !== null && second.at === first.at + 1 && isBack(first.box, second.box))
      faults.push(`${said} lies above ${before?.at}`);
    before = stop;
    const isRound = missed.size === 0;
    missed.delete(stop.at);
    if (isRound) break;
  }
  return { missed: [...missed], faults };
}

/** Walks with the Tab key alone, there and back, everywhere and out again at the other end. */
export async function walk(page: Page): Promise<Walk> {
  const session = await page.context().newCDPSession(page);
  try {
    const forth = await round(page, session, 'Tab');
    const back = await round(page, session, 'Shift+Tab');
    return {
      missed: [...forth.missed, ...back.missed],
      faults: [...forth.faults, ...back.faults.map((fault) => `back: ${fault}`)],
    };
  } finally {
    await session.detach();
  }
}
