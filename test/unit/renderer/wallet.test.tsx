// @vitest-environment happy-dom
import { act, fireEvent, screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { checksumAddress } from '../../../core/checksum.ts';
import { parseTokens } from '../../../core/money.ts';
import type { Withdrawal } from '../../../core/snapshot.ts';
import { textIn } from '../../../core/text/index.ts';
import { OTHER, OWNER, wallet, withdrawals } from '../../fakes/snapshots.ts';
import { alerts, aWindow, NOW, type OpenWindow, openWindow } from './open-window.tsx';

aWindow();

const compact = (text: string | null | undefined): string => (text ?? '').replaceAll(' ', '');

/** From the closed wallet to the form; `to`: what is typed as another address. */
async function fillIn(window: OpenWindow, to: string | null): Promise<void> {
  const words = window.words.wallet;
  await window.press(words.withdraw);
  if (to !== null) {
    await act(async () => {
      fireEvent.click(screen.getByLabelText(words.toOther));
    });
    await act(async () => {
      fireEvent.change(screen.getByLabelText(words.recipient), { target: { value: to } });
    });
  }
  await window.press(words.review);
}

describe.each(['en', 'ja'] as const)('a withdrawal in %s', (language) => {
  const words = textIn(language).window;
  const amount = '4.2075 PRACTICE';
  const open = (withdrawal: Withdrawal) => openWindow({ wallet: wallet({ withdrawal }) }, { language, view: 'wallet' });

  it.each(withdrawals(NOW).filter(({ kind }) => kind === 'signing' || kind === 'relaying' || kind === 'confirming'))(
    'shows that it is $kind, and what is behind and ahead of it',
    async (withdrawal) => {
      const window = await open(withdrawal);
      const present = window.root.querySelector('[aria-current=step] .step-title');
      if (withdrawal.kind === 'idle' || withdrawal.kind === 'failed') throw new Error('not under way');
      expect(present?.textContent).toBe(words.step(withdrawal.kind).title);
      const states = [...window.root.querySelectorAll<HTMLElement>('.step')].map((step) => step.dataset['state']);
      const at = ['signing', 'relaying', 'confirming'].indexOf(withdrawal.kind);
      expect(states).toEqual(
        ['past', 'past', 'past', 'ahead'].map((s, i) => (i < at ? s : i === at ? 'present' : 'ahead')),
      );
      expect(screen.queryByTestId('tx-hash') !== null).toBe(withdrawal.kind === 'confirming');
      expect(window.root.textContent).not.toContain(words.wallet.doneTitle(amount));
    },
  );

  it('says that the tokens arrived, until it is closed', async () => {
    const done = withdrawals(NOW).find(({ kind }) => kind === 'done') ?? { kind: 'idle' };
    const window = await open(done);
    expect(screen.getByText(words.wallet.doneTitle(amount))).toBeDefined();
    expect(window.root.querySelectorAll('.step[data-state=past]')).toHaveLength(4);
    await window.press(words.wallet.close);
    expect(screen.queryByText(words.wallet.doneTitle(amount))).toBeNull();
    await window.press(words.wallet.withdraw);
  });

  it('says why it failed, that nothing is lost, and lets it be tried again', async () => {
    const failedOne = withdrawals(NOW).find(({ kind }) => kind === 'failed') ?? { kind: 'idle' };
    const window = await open(failedOne);
    const said = alerts().join();
    expect(said).toContain(words.wallet.failedTitle(amount));
    expect(said).toContain(words.failure('CHAIN_AWAY'));
    expect(said).toContain(words.wallet.failedSafe);
    expect(said).toContain('connection refused');
    await window.press(words.wallet.again);
    expect(alerts()).toEqual([]);
    expect(screen.getByText(words.wallet.to)).toBeDefined();
  });

  it('shows amount, fee and own address before anything is signed', async () => {
    const window = await openWindow({}, { language, view: 'wallet' });
    await fillIn(window, null);
    expect(screen.getByText(words.wallet.reviewTitle)).toBeDefined();
    const [sum, fee, to] = [...window.root.querySelectorAll('.review dd')].map((each) => each.textContent);
    expect(sum).toBe(amount);
    expect(fee).toBe(words.wallet.noFee);
    expect(compact(to)).toBe(checksumAddress(OWNER));
    expect(window.root.textContent).not.toContain(words.wallet.otherWarning);
    expect(window.calls('withdraw')).toEqual([]);
    await window.press(words.wallet.confirm(amount));
    expect(window.calls('withdraw')).toEqual([{ recipient: null }]);
  });

  it('warns of an address that is not the owner’s, and sends it as it was reviewed', async () => {
    const window = await openWindow({}, { language, view: 'wallet' });
    await fillIn(window, OTHER);
    expect(compact(window.root.querySelectorAll('.review dd')[2]?.textContent)).toBe(OTHER);
    expect(screen.getByText(words.wallet.otherWarning)).toBeDefined();
    await window.press(words.wallet.confirm(amount));
    expect(window.calls('withdraw')).toEqual([{ recipient: OTHER.toLowerCase() }]);
  });

  it.each([
    ['', words.wallet.recipientNeeded],
    ['0x1234', words.wallet.recipientWrong],
    ['fB6916095ca1df60bB79Ce92cE3Ea74c37c5d359', words.wallet.recipientWrong],
    [`${OTHER}0`, words.wallet.recipientWrong],
    [OTHER.replace('fB', 'FB'), words.wallet.recipientMistyped],
  ])('refuses the address "%s" with a reason', async (typed, why) => {
    const window = await openWindow({}, { language, view: 'wallet' });
    await fillIn(window, typed);
    expect(screen.getByText(why)).toBeDefined();
    expect(screen.getByLabelText(words.wallet.recipient).getAttribute('aria-invalid')).toBe('true');
    expect(screen.queryByText(words.wallet.reviewTitle)).toBeNull();
    expect(window.calls('withdraw')).toEqual([]);
  });
});

it('keeps the review open and says why when the wallet refuses', async () => {
  const window = await openWindow({}, { view: 'wallet' });
  await fillIn(window, null);
  window.bridge.refuse({ code: 'VAULT_UNREADABLE', message: 'the keyring is locked' });
  await window.press(window.words.wallet.confirm('4.2075 PRACTICE'));
  expect(alerts().join()).toContain(window.words.failure('VAULT_UNREADABLE'));
  expect(screen.getByText(window.words.wallet.reviewTitle)).toBeDefined();
});

it.each([
  [0n, 'nothingYet'],
  ['unknown', 'chainUnknown'],
] as const)('offers no withdrawal of %s, and says why', async (claimable, why) => {
  const window = await openWindow({ wallet: wallet({ claimable }) }, { view: 'wallet' });
  const button = screen.getByText<HTMLButtonElement>(window.words.wallet.withdraw);
  expect(button.disabled).toBe(true);
  expect(screen.getByText(window.words.wallet[why])).toBeDefined();
});

it('says what guards the key, and that a closed wallet is closed', async () => {
  const window = await openWindow({ wallet: wallet({ protection: 'file' }) }, { view: 'wallet' });
  expect(screen.getByText(window.words.wallet.file)).toBeDefined();
  await window.push({ wallet: wallet({ protection: 'keyring', balance: parseTokens('0.5') }) });
  expect(screen.getByText(window.words.wallet.keyring)).toBeDefined();
  expect(screen.getByTestId('balance').textContent).toBe('0.5000 PRACTICE');
  await window.push({ wallet: null });
  expect(screen.getByText(window.words.wallet.closed)).toBeDefined();
});
