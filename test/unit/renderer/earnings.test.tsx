// @vitest-environment happy-dom
import { screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { EarningsQuery } from '../../../core/ipc.ts';
import { parseTokens } from '../../../core/money.ts';
import { formatIn } from '../../../renderer/format.ts';
import { daily, history, snapshot } from '../../fakes/snapshots.ts';
import { alerts, aWindow, NOW, type OpenWindow, openWindow } from './open-window.tsx';

aWindow();

const ALL = history(NOW, 57);
const open = () => openWindow({}, { view: 'earnings', prepare: (bridge) => Object.assign(bridge, { history: ALL }) });
const rows = (window: OpenWindow): number => window.root.querySelectorAll('.history tbody tr').length;
const questions = (window: OpenWindow) => window.calls('earnings') as readonly EarningsQuery[];

describe('the history', () => {
  it('is asked for a page at a time, each beginning where the last one ended', async () => {
    const window = await open();
    const { more } = window.words.earnings;
    expect(rows(window)).toBe(20);
    await window.press(more);
    expect(rows(window)).toBe(40);
    await window.press(more);
    expect(rows(window)).toBe(57);
    expect(screen.queryByText(more)).toBeNull();
    expect(questions(window).map(({ before }) => before)).toEqual([null, ALL[19]?.at, ALL[39]?.at]);
    const leases = [...window.root.querySelectorAll('.history-lease')].map((each) => each.textContent);
    expect(new Set(leases).size).toBe(new Set(ALL.map(({ leaseId }) => leaseId.slice(2, 8) + leaseId.slice(-6))).size);
  });

  it('keeps what it has when the next page does not come, and gets it the next time', async () => {
    const window = await open();
    window.bridge.refuse({ code: 'TIMEOUT', message: 'no answer' });
    await window.press(window.words.earnings.more);
    expect(rows(window)).toBe(20);
    expect(alerts().join()).toContain(window.words.failure('TIMEOUT'));
    window.bridge.accept();
    await window.press(window.words.earnings.more);
    expect(rows(window)).toBe(40);
    expect(alerts()).toEqual([]);
  });

  it('is asked anew when a sum moves, as far as it was open, and not when nothing moved', async () => {
    const window = await open();
    await window.press(window.words.earnings.more);
    await window.push({});
    expect(questions(window)).toHaveLength(2);
    await window.push({ earnings: { ...snapshot(NOW).earnings, credited: parseTokens('40') } });
    expect(questions(window).at(-1)).toEqual({ before: null, limit: 40 });
    expect(rows(window)).toBe(40);
  });

  it('shows a refused entry with its reason, and a present one without a report', async () => {
    const window = await open();
    const refused = screen.getAllByText(window.words.entryState('refused'))[0]?.closest('tr');
    expect(refused?.textContent).toContain('the result differs from its replica');
    const verifying = screen.getAllByText(window.words.entryState('verifying'), { selector: '.state' })[0];
    expect(verifying?.closest('tr')?.textContent).toContain(window.words.earnings.noReport);
  });

  it('says that there is none yet', async () => {
    const window = await openWindow({}, { view: 'earnings' });
    expect(screen.getByText(window.words.earnings.noHistory)).toBeDefined();
    expect(screen.getByText(window.words.earnings.noDays)).toBeDefined();
  });
});

it('shows the days as a chart and as a table', async () => {
  const window = await openWindow(
    {},
    { view: 'earnings', prepare: (bridge) => Object.assign(bridge, { daily: (days: number) => daily(NOW, days) }) },
  );
  expect(window.root.querySelectorAll('.bar')).toHaveLength(14);
  expect([...window.root.querySelectorAll('.bar-day')].map((each) => each.textContent)).toEqual([
    '2 Mar',
    '5 Mar',
    '8 Mar',
    '11 Mar',
    '14 Mar',
  ]);
  await window.press(window.words.earnings.asTable);
  expect(window.root.querySelectorAll('.table tbody tr')).toHaveLength(14);
  expect(window.calls('dailyEarnings')).toEqual([{ days: 14 }]);
});

describe.each([
  ['en', '1,234'],
  ['ja', '1,234'],
] as const)('amounts in %s', (language, thousands) => {
  const { figure, money } = formatIn(language);
  const said = (amount: bigint, steady = false) => {
    const { whole, fraction } = figure(amount, steady);
    return whole + fraction;
  };

  it('have four decimals as figures, and more only where four would show nothing', () => {
    expect(said(0n)).toBe('0.0000');
    expect(said(parseTokens('0.014'))).toBe('0.0140');
    expect(said(parseTokens('1234.56789'))).toBe(`${thousands}.5678`);
    expect(said(parseTokens('0.00000412'))).toBe('0.00000412');
    expect(said(parseTokens('0.00000412'), true)).toBe('0.0000');
  });

  it('have two to four decimals in sentences, always with the unit, never rounded up', () => {
    expect(money(0n, 'T')).toBe('0.00 T');
    expect(money(parseTokens('2.5'), 'T')).toBe('2.50 T');
    expect(money(parseTokens('0.99999'), 'T')).toBe('0.9999 T');
    expect(money(parseTokens('0.000004'), 'T')).toBe('0.000004 T');
  });
});
