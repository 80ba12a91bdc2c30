import type { Finding } from '../../../core/doctor.ts';
import { parseTokens } from '../../../core/money.ts';
import type { Proof } from '../../../core/proof.ts';
import type { Settings } from '../../../core/settings.ts';
import { defaultSettings } from '../../../core/settings.ts';
import type { Snapshot } from '../../../core/snapshot.ts';
import { FakeBridge } from '../../fakes/bridge.ts';
import { lender, lineDays } from '../../fakes/lending.ts';
import { APPS, busyMachine, daily, history, snapshot, switches, wallet, withdrawals } from '../../fakes/snapshots.ts';
import { attempt, proofWith } from '../../support/proof.ts';
import { PROBLEMS } from '../../support/situations.ts';

/** Bundled and run in the page before the window's own script: puts a fake application where the preload would. */

export type Scene = {
  readonly scene: string;
  readonly language: Settings['language'];
  readonly theme: Settings['theme'];
};

declare global {
  interface Window {
    /** Pushes a scene as the newest snapshot. */
    showScene: (scene: Scene) => Promise<void>;
  }
}

const now = Date.now();
const paid = snapshot(now).earnings;

const fresh = {
  running: [],
  earnings: { verifying: 0n, credited: 0n, today: 0n, published: 0n, claimed: 0n, jobsToday: 0 },
  wallet: wallet({ balance: 0n, claimable: 0n }),
} as const;

const withdrawal = (at: number) =>
  ({ wallet: wallet({ withdrawal: withdrawals(now)[at] ?? { kind: 'idle' } }) }) as const;

const PROOFS: Readonly<Record<string, Proof>> = {
  proven: proofWith(
    [
      ...['192.168.1.1', '192.168.1.254'].map((host) =>
        attempt('gateway', { tried: `connect to ${host} port 80 (TCP)` }),
      ),
      attempt('vsock', { outcome: 'unavailable', detail: 'EAFNOSUPPORT' }),
    ],
    now - 3_600_000,
  ),
  leaked: proofWith(
    [
      attempt('internet', { outcome: 'escaped', tried: 'connect to 1.1.1.1 port 443 (TCP)', detail: 'connected' }),
      attempt('internet', { tried: 'connect to 8.8.8.8 port 53 (TCP)', detail: 'ENETUNREACH' }),
      attempt('modules', { outcome: 'unavailable', tried: 'init_module', detail: 'ENOSYS' }),
    ],
    now - 60_000,
  ),
};
const WELL: readonly Finding[] = [
  {
    ...{ check: 'engine', state: 'fine', kind: 'engine-ready', product: 'docker' },
    ...{ version: '27.5.1', place: '/var/run/docker.sock' },
  },
  { check: 'gvisor', state: 'hint', kind: 'gvisor-not-offered' },
  { check: 'gpu', state: 'fine', kind: 'gpu-served', makers: 'NVIDIA' },
  { check: 'images', state: 'fine', kind: 'images-present', count: 4 },
  { check: 'disk', state: 'fine', kind: 'disk-enough', freeBytes: 212 * 2 ** 30 },
  { check: 'clock', state: 'fine', kind: 'clock-right' },
  { check: 'coordinator', state: 'fine', kind: 'coordinator-connected' },
];
const ILL: readonly Finding[] = [
  { check: 'engine', state: 'bad', kind: 'engine-missing', platform: 'linux' },
  { check: 'virtualisation', state: 'bad', kind: 'virtualisation-off', platform: 'windows' },
  { check: 'wsl', state: 'bad', kind: 'wsl-missing' },
  { check: 'gpu', state: 'unknown', kind: 'not-known' },
  { check: 'clock', state: 'hint', kind: 'clock-wrong', skewMs: 3_600_000 },
];
const proofView = (scene: string): Snapshot['proof'] => {
  const found = PROOFS[scene];
  if (found === undefined) return { running: null, last: null };
  const { finishedAt, tried, escaped, missing } = found;
  return { running: null, last: { finishedAt, tried, escaped, missing: missing.length } };
};

const lending = lender(now);

const SCENES: Readonly<Record<string, Partial<Snapshot>>> = {
  sharing: {},
  waiting: {
    presence: 'waiting',
    reason: { kind: 'in-use', resumesAt: now + 134_000 },
    running: snapshot(now)
      .running.slice(0, 1)
      .map((job) => ({ ...job, phase: 'frozen' })),
  },
  countdown: { presence: 'waiting', reason: { kind: 'in-use', resumesAt: now + 134_000 }, running: [] },
  paused: { presence: 'paused', reason: { kind: 'paused', until: now + 3_000_000 }, running: [] },
  first: { ...fresh, presence: 'waiting', reason: { kind: 'in-use', resumesAt: now + 95_000 } },
  attention: {
    presence: 'attention',
    reason: { kind: 'engine-absent' },
    problems: PROBLEMS.filter(({ kind }) => kind === 'engine-absent' || kind === 'chain-away'),
    running: [],
    engine: { kind: 'absent', detail: '' },
    earnings: { ...paid, published: 'unknown', claimed: 'unknown', verifying: parseTokens('0.00000412') },
    wallet: wallet({ balance: 'unknown', claimable: 'unknown', protection: 'file' }),
  },
  problems: {
    presence: 'attention',
    reason: { kind: 'settings-broken' },
    problems: PROBLEMS,
    running: [],
    wallet: null,
  },
  proven: { proof: proofView('proven') },
  leaked: {
    presence: 'attention',
    reason: { kind: 'sandbox-leaks' },
    problems: [{ kind: 'sandbox-leaks' }],
    running: [],
    proof: proofView('leaked'),
  },
  proving: {
    proof: { running: { startedAt: now - 4_000, suite: 'limits', tried: 143, escaped: 0 }, last: null },
  },
  busy: busyMachine(now),
  lends: lending,
  plays: {
    ...lender(now, { busy: true }),
    ...{ presence: 'waiting', reason: { kind: 'game', name: 'Elden Ring' }, running: [] },
    lanes: lending.lanes.map((view) =>
      view.lane === 'cpu'
        ? {
            ...view,
            decision: { kind: 'hold', reason: { kind: 'game', name: 'Elden Ring' } },
            heldSince: now - 754_000,
          }
        : view,
    ),
  },
  invited: lender(now, { settings: defaultSettings() }),
  suspended: {
    ...lending,
    storage: {
      ...lending.storage,
      ...{ state: 'suspended', score: 0.741, scoreReason: 'failed', suspendedUntil: now + 40 * 3_600_000 },
    },
    bandwidth: { ...lending.bandwidth, state: 'preparing', cachedBytes: 'unknown' },
  },
  signing: withdrawal(1),
  confirming: withdrawal(3),
  done: withdrawal(4),
  failed: withdrawal(5),
};

const bridge = new FakeBridge(snapshot(now));
window.showScene = async ({ scene, language, theme }) => {
  const empty = scene === 'first';
  bridge.history = empty ? [] : history(now, 57);
  bridge.switched = empty ? [] : switches(now);
  bridge.apps = APPS;
  bridge.proof = PROOFS[scene] ?? bridge.proof;
  bridge.findings = scene === 'problems' ? ILL : WELL;
  bridge.traffic = (days) => lineDays(now, days, ['lends', 'plays', 'suspended'].includes(scene));
  bridge.daily = (days) => daily(now, days, empty ? 0n : 100n);
  // Commands of the window have pushed newer ones since the last scene.
  const { rev } = await bridge.snapshot();
  bridge.push(
    snapshot(now, {
      rev: rev + 1,
      ...SCENES[scene],
      settings: { ...(SCENES[scene]?.settings ?? defaultSettings()), language, theme },
    }),
  );
};
Object.defineProperty(window, 'idlemesh', { value: bridge });
