// @vitest-environment happy-dom
import { screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { Language } from '../../../core/text/index.ts';
import { attempt, proofWith } from '../../support/proof.ts';
import { aWindow, NOW, type OpenWindow, openWindow } from './open-window.tsx';

aWindow();

const LANGUAGES = ['en', 'ja'] as const satisfies readonly Language[];
const IDLE = { running: null, last: null };

async function shows(window: OpenWindow, proof: ReturnType<typeof proofWith>): Promise<void> {
  window.bridge.proof = proof;
  const { finishedAt, tried, escaped, missing } = proof;
  await window.push({ proof: { running: null, last: { finishedAt, tried, escaped, missing: missing.length } } });
}

describe.each(LANGUAGES)('in %s', (language) => {
  it('tries at the press of a button, and shows how far it is', async () => {
    const window = await openWindow({ proof: IDLE }, { language, view: 'proof' });
    const words = window.words.proof;
    expect(screen.getByText(words.never)).toBeDefined();
    await window.press(words.start);
    expect(window.calls('prove')).toEqual([null]);
    await window.push({ proof: { running: { startedAt: NOW, suite: 'limits', tried: 71, escaped: 0 }, last: null } });
    expect(screen.getByText(`${words.suites.limits} · ${words.sofar(71)}`)).toBeDefined();
    await window.press(words.running);
    expect(window.calls('prove')).toHaveLength(1);
  });

  it('says in plain words what was tried and what stopped it', async () => {
    const window = await openWindow({ proof: IDLE }, { language, view: 'proof' });
    const words = window.words.proof;
    const held = proofWith([attempt('vsock', { outcome: 'unavailable', detail: 'EAFNOSUPPORT' })], NOW - 60_000);
    await shows(window, held);
    expect(screen.getByText(words.safe(held.tried))).toBeDefined();
    expect(screen.getByText(words.probes.gateway)).toBeDefined();
    expect(screen.getAllByText(`${words.outcomes.blocked}: ${words.stopped('EPERM')}`).length).toBe(held.tried);
    expect(screen.getAllByText(words.outcomes.unavailable)).toHaveLength(1);
    expect(window.root.querySelectorAll('.proof-group[open]')).toHaveLength(0);
    expect(window.root.querySelector('.notice')).toBeNull();
  });

  it('shows what got out first, with what to do, and opens its group', async () => {
    const window = await openWindow({ proof: IDLE }, { language, view: 'proof' });
    const words = window.words.proof;
    const leaked = proofWith([
      attempt('internet', { detail: 'EPERM' }),
      attempt('internet', { outcome: 'escaped', tried: 'connect to 1.1.1.1', detail: 'connected' }),
    ]);
    await shows(window, leaked);
    expect(screen.getByText(words.leaked(1, leaked.tried))).toBeDefined();
    expect(screen.getByText(words.advice)).toBeDefined();
    const open = window.root.querySelectorAll('.proof-group[open]');
    expect(open).toHaveLength(1);
    const first = open[0]?.querySelector('.proof-row');
    expect(first?.getAttribute('data-outcome')).toBe('escaped');
    expect(first?.textContent).toContain(words.probes.internet);
    expect(first?.textContent).toContain('connected');
  });
});

it('a proof with a probe that did not answer is no success', async () => {
  const window = await openWindow({ proof: IDLE }, { view: 'proof' });
  const whole = proofWith();
  await shows(window, { ...whole, missing: ['bpf'] });
  expect(screen.queryByText(window.words.proof.safe(whole.tried))).toBeNull();
  expect(screen.getByText(window.words.proof.unfinished(1))).toBeDefined();
});

it('says why it could not be tried', async () => {
  const window = await openWindow({ proof: IDLE }, { view: 'proof' });
  window.bridge.refuse({ code: 'ENGINE_AWAY', message: 'Docker is not ready' });
  await window.press(window.words.proof.start);
  expect(screen.getByRole('alert').textContent).toContain('Docker is not ready');
});
