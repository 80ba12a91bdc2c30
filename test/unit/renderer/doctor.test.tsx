// @vitest-environment happy-dom
import { act, screen } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';
import type { Finding } from '../../../core/doctor.ts';
import type { FakeBridge } from '../../fakes/bridge.ts';
import { aWindow, openWindow } from './open-window.tsx';

aWindow();

const FOUND: readonly Finding[] = [
  { check: 'engine', state: 'fine', kind: 'engine-ready', product: 'docker', version: '27.1', place: null },
  { check: 'gpu', state: 'hint', kind: 'gpu-not-served', makers: 'NVIDIA', platform: 'linux' },
  { check: 'disk', state: 'bad', kind: 'disk-low', freeBytes: 2 ** 30, neededBytes: 2 ** 31 },
];

describe.each(['en', 'ja'] as const)('in %s', (language) => {
  it('shows each check with its state, and how to mend what is not right', async () => {
    const prepare = (bridge: FakeBridge): void => {
      bridge.findings = FOUND;
    };
    const window = await openWindow({}, { language, view: 'proof', prepare });
    const words = window.words.doctor;
    expect(window.calls('doctor')).toEqual([null]);
    expect(screen.getByText(words.summary(1, 1))).toBeDefined();
    for (const finding of FOUND) expect(screen.getByText(words.advice(finding).says)).toBeDefined();
    expect(screen.getByText('sudo nvidia-ctk runtime configure --runtime=docker')).toBeDefined();
    expect(window.root.querySelectorAll('.check[data-state="bad"]')).toHaveLength(1);
    await window.press(words.again);
    expect(window.calls('doctor')).toEqual([null, null]);
  });

  it('lets the owner choose about gVisor', async () => {
    const window = await openWindow({}, { language, view: 'proof' });
    await act(async () => screen.getByText(window.words.doctor.gvisorChoices.require).click());
    await vi.waitFor(() => expect(window.calls('updateSettings')).toEqual([{ engine: { gvisor: 'require' } }]));
  });
});
