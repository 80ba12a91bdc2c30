// @vitest-environment happy-dom
import { act, fireEvent, screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import { succeeded } from '../../../core/errors.ts';
import { APPS } from '../../fakes/snapshots.ts';
import { aWindow, openWindow } from './open-window.tsx';

aWindow();

it('a command under way is not given twice, and its button keeps the focus meanwhile', async () => {
  const answers: (() => void)[] = [];
  const window = await openWindow(
    {},
    {
      view: 'limits',
      prepare: (bridge) =>
        Object.assign(bridge.commands, {
          runningApps: () => new Promise((resolve) => answers.push(() => resolve(succeeded(APPS)))),
        }),
    },
  );
  const button = screen.getByRole<HTMLButtonElement>('button', { name: window.words.games.learn });
  await act(async () => button.focus());
  for (const again of [false, true]) {
    await act(async () => {
      fireEvent.click(button);
    });
    expect([again, answers.length, button.disabled, document.activeElement === button]).toEqual([
      again,
      1,
      false,
      true,
    ]);
  }
  expect(button.getAttribute('aria-disabled')).toBe('true');
  await act(async () => answers[0]?.());
  expect(screen.getByRole('dialog').textContent).toContain('eldenring.exe');
  expect(button.getAttribute('aria-disabled')).toBeNull();
});

it('the name field gets the focus back after a name was added, and a neighbour after one was removed', async () => {
  const window = await openWindow({}, { view: 'limits' });
  const { games } = window.words;
  const field = screen.getByLabelText(`${games.name} – ${games.own}`);
  for (const name of ['stardew', 'obs']) {
    await act(async () => {
      fireEvent.change(field, { target: { value: name } });
    });
    await window.press(`${games.add} – ${games.own}`);
    expect(document.activeElement).toBe(field);
  }
  await window.press(games.remove('stardew'));
  expect(document.activeElement).toBe(screen.getByLabelText(games.remove('obs')));
  await window.press(games.remove('obs'));
  expect(document.activeElement).toBe(field);
});
