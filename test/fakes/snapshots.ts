import type { DailyEarnings, EarningsEntry } from '../../core/ipc.ts';
import { type Amount, parseTokens } from '../../core/money.ts';
import { type Hex32, LANES } from '../../core/primitives.ts';
import { defaultSettings } from '../../core/settings.ts';
import type { Problem, RunningJob, Snapshot, WalletView, Withdrawal } from '../../core/snapshot.ts';

const GIB = 1024 ** 3;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** An odd factor: different seeds give different digits. */
const SCATTER = 0x9e3779b97f4a7c15f39cc0605cedc8341082276bf3a27251f86c6a11d0c18e95n;
const hash = (seed: number): Hex32 =>
  `0x${BigInt.asUintN(256, BigInt(seed) * SCATTER)
    .toString(16)
    .padStart(64, '0')}`;

export const OWNER = '0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed';
export const OTHER = '0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359';

export const job = (now: number, change: Partial<RunningJob> = {}): RunningJob => ({
  leaseId: hash(1),
  workload: 'transcode',
  version: '1.0.0',
  image: `sha256:${hash(9).slice(2)}`,
  lane: 'cpu',
  phase: 'running',
  startedAt: now - 84_000,
  progress: 0.62,
  price: parseTokens('0.0425'),
  cpuCores: 4,
  memoryBytes: 1.5 * GIB,
  ...change,
});

export const wallet = (change: Partial<WalletView> = {}): WalletView => ({
  owner: OWNER,
  device: '0x00000000219ab540356cbb839cbe05303d7705fa',
  protection: 'keyring',
  balance: parseTokens('31.875'),
  claimable: parseTokens('4.2075'),
  withdrawal: { kind: 'idle' },
  ...change,
});

/** A device that shares and has earned for weeks. */
export function snapshot(now: number, change: Partial<Snapshot> = {}): Snapshot {
  return {
    rev: 1,
    at: now,
    version: '0.1.0',
    presence: 'sharing',
    reason: null,
    lanes: LANES.map((lane) => ({
      lane,
      decision: lane === 'cpu' ? { kind: 'run' } : { kind: 'hold', reason: { kind: 'lane-not-offered' } },
      heldSince: null,
    })),
    gpus: [],
    sensors: [],
    problems: [],
    running: [
      job(now),
      job(now, { leaseId: hash(2), phase: 'uploading', progress: 0.97, price: parseTokens('0.03'), cpuCores: 2 }),
    ],
    earnings: {
      verifying: parseTokens('0.1275'),
      credited: parseTokens('38.2525'),
      today: parseTokens('1.3175'),
      published: parseTokens('36.0825'),
      claimed: parseTokens('31.875'),
      jobsToday: 31,
    },
    wallet: wallet(),
    engine: { kind: 'ready', version: '20.10.24' },
    coordinator: { kind: 'connected', since: now - HOUR },
    network: { name: 'Practice', tokenSymbol: 'PRACTICE', chainId: 31_337 },
    machine: { cpuCores: 16, memoryBytes: 31.2 * GIB },
    settings: defaultSettings(),
    ...change,
  };
}

/** One of every fault. */
export const PROBLEMS: readonly Problem[] = [
  { kind: 'settings-broken', path: '~/.config/idlemesh/settings.json', detail: 'limits.cpuPercent: expected number' },
  { kind: 'ledger-unwritable', detail: 'no space left on device' },
  { kind: 'engine-absent', detail: 'nothing answers at /var/run/docker.sock' },
  { kind: 'engine-forbidden', detail: 'connect EACCES /var/run/docker.sock' },
  { kind: 'engine-unfit', detail: 'the engine has no memory limit' },
  { kind: 'engine-slow', detail: 'freezing took 2.3 s', at: 0 },
  { kind: 'disk-low', freeBytes: 1.2 * GIB, neededBytes: 2 * GIB },
  { kind: 'coordinator-away', url: 'http://127.0.0.1:7350', detail: 'connection refused' },
  { kind: 'coordinator-refused', url: 'http://127.0.0.1:7350', detail: 'this device was revoked' },
  { kind: 'chain-away', detail: 'connection refused' },
  { kind: 'vault-unreadable', detail: 'the keyring is locked' },
  { kind: 'not-started', detail: 'the database is locked' },
];

export const withdrawals = (now: number): readonly Withdrawal[] => {
  const amount = parseTokens('4.2075');
  return [
    { kind: 'idle' },
    { kind: 'signing', amount },
    { kind: 'relaying', amount },
    { kind: 'confirming', amount, txHash: hash(5) },
    { kind: 'done', amount, txHash: hash(5), at: now },
    { kind: 'failed', amount, failure: { code: 'CHAIN_AWAY', message: 'connection refused' }, at: now },
  ];
};

const STATES = ['verifying', 'verified', 'reported', 'credited', 'credited', 'credited', 'refused'] as const;

export function history(now: number, count: number): readonly EarningsEntry[] {
  return Array.from({ length: count }, (_, at) => {
    const state = STATES[at % STATES.length] ?? 'credited';
    return {
      leaseId: hash(at + 20),
      at: now - at * 23 * MINUTE - 40_000,
      lane: 'cpu',
      workload: 'transcode',
      amount: parseTokens(at % 3 === 0 ? '0.0425' : '0.03'),
      state,
      report: state === 'verifying' || state === 'verified' ? null : 412 - at,
      detail: state === 'refused' ? 'the result differs from its replica' : null,
    };
  });
}

/** `factor`: percent of the sample amounts; 0 gives days without earnings. */
export function daily(now: number, days: number, factor = 100n): DailyEarnings {
  const today = Math.floor(now / DAY) * DAY;
  const amount = (at: number, base: number): Amount =>
    (parseTokens(String(base + ((at * 37 + 11) % 29) / 10)) * (at % 9 === 4 ? 0n : factor)) / 100n;
  return Array.from({ length: days }, (_, at) => [
    { dayStart: today - (days - 1 - at) * DAY, lane: 'cpu' as const, amount: amount(at, 0.6) },
    { dayStart: today - (days - 1 - at) * DAY, lane: 'gpu' as const, amount: amount(at + 3, 0.2) / 2n },
    { dayStart: today - (days - 1 - at) * DAY, lane: 'storage' as const, amount: amount(at + 6, 0.4) / 5n },
  ]).flat();
}
