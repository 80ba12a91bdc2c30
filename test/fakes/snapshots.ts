import type { ImageView } from '../../core/images.ts';
import type { DailyEarnings, EarningsEntry, RunningApp, SwitchEntry } from '../../core/ipc.ts';
import { type Amount, parseTokens } from '../../core/money.ts';
import { type Hex32, LANES } from '../../core/primitives.ts';
import { applyPatch, defaultSettings } from '../../core/settings.ts';
import { SENSORS } from '../../core/signals.ts';
import type { RunningJob, Snapshot, WalletView, Withdrawal } from '../../core/snapshot.ts';

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

/** One in each state. */
export const images = (now: number): readonly ImageView[] => [
  view({ workload: 'transcode', version: '0.2.0', state: 'present', bytes: 554_380_793, ours: true }),
  view({
    workload: 'render',
    title: { en: 'Scene render', ja: '3DCGの描画' },
    version: '1.4.0',
    state: 'fetching',
    bytes: 812_000_000,
    doneBytes: 341_000_000,
    ours: true,
  }),
  view({
    workload: 'gateway',
    title: { en: 'Egress gateway', ja: '外部通信の関所' },
    version: '0.1.0',
    obstacle: { kind: 'waiting' },
    bytes: 62_384_326,
  }),
  view({
    workload: 'whisper',
    title: { en: 'Speech to text', ja: '音声の文字起こし' },
    version: '0.3.1',
    obstacle: { kind: 'failed', detail: 'connection refused', at: now + HOUR },
  }),
  view({
    workload: 'fold',
    title: { en: 'Protein folding', ja: 'タンパク質の構造計算' },
    version: '2.0.0',
    state: 'refused',
    obstacle: { kind: 'refused', detail: 'its content differs' },
  }),
];

const view = (change: Partial<ImageView>): ImageView => ({
  ...{ workload: 'transcode', version: '0.2.0', image: `sha256:${'ab'.repeat(32)}`, state: 'missing' },
  title: { en: 'Video transcode', ja: '動画の変換' },
  ...{ bytes: 90_000_000, doneBytes: 0, ours: false, obstacle: null },
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
    proof: { running: null, last: null },
    problems: [],
    running: [
      job(now),
      job(now, { leaseId: hash(2), phase: 'uploading', progress: 0.97, price: parseTokens('0.03'), cpuCores: 2 }),
    ],
    images: images(now),
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
    traffic: {
      ...{ monthBytesIn: 41.3 * GIB, monthBytesOut: 12.7 * GIB, capBytes: null, resetsAt: now + 9 * DAY },
      ...{ inPerSecond: 2_300_000, outPerSecond: 410_000 },
    },
    ...{ storage: null, bandwidth: null },
    machine: { cpuCores: 16, memoryBytes: 31.2 * GIB },
    settings: defaultSettings(),
    ...change,
  };
}

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

export const APPS: readonly RunningApp[] = [
  { name: 'Elden Ring', path: '/games/steamapps/common/ELDEN RING/eldenring.exe', game: true },
  { name: 'Blender', path: '/opt/blender-4.2.1-linux-x64/blender', game: false },
  { name: 'Tux Kart', path: null, game: false },
];

/** A machine with two graphics cards, a game on one of them, a schedule and its owner's own choices. */
export function busyMachine(now: number): Partial<Snapshot> {
  const game = { kind: 'hold', reason: { kind: 'game', name: 'Elden Ring' } } as const;
  return {
    presence: 'waiting',
    reason: { kind: 'settling', after: 'cpu-busy', resumesAt: now + 41_000 },
    lanes: LANES.map((lane) => ({
      lane,
      decision:
        lane === 'cpu'
          ? { kind: 'hold', reason: { kind: 'settling', after: 'cpu-busy', resumesAt: now + 41_000 } }
          : lane === 'gpu'
            ? game
            : { kind: 'hold', reason: { kind: 'lane-not-offered' } },
      heldSince: now - 190_000,
    })),
    gpus: [
      { id: 'GPU-1', name: 'GeForce RTX 4080', decision: game, heldSince: now - 754_000 },
      {
        id: 'GPU-2',
        name: 'Radeon Pro W6600',
        decision: { kind: 'hold', reason: { kind: 'too-hot', celsius: 91, limit: 90 } },
        heldSince: now - 65_000,
      },
      {
        id: 'GPU-3',
        name: 'GeForce GTX 1060',
        decision: {
          kind: 'hold',
          reason: { kind: 'gpu-refused', gpu: 'GeForce GTX 1060', why: { kind: 'no-runtime' } },
        },
        heldSince: now - 65_000,
      },
    ],
    sensors: SENSORS.map((sensor) => ({
      sensor,
      state: sensor === 'media' ? 'unknown' : sensor === 'power' ? 'unavailable' : 'ok',
      sources: sensor === 'power' ? [] : ['logind', 'X11'].slice(sensor === 'idle' ? 0 : 1),
    })),
    running: [],
    traffic: {
      ...{ monthBytesIn: 61.3 * GIB, monthBytesOut: 22.1 * GIB, capBytes: 100 * GIB, resetsAt: now + 9 * DAY },
      ...{ inPerSecond: 0, outPerSecond: 120_000 },
    },
    settings: applyPatch(defaultSettings(), {
      rules: { maxTemperatureC: null },
      limits: { network: { idleDownMbps: null, monthlyCapGiB: 100 } },
      lanes: { cpu: { rules: { idleAfterSeconds: 60 } } },
      games: { own: ['stardew', 'My Own Engine'], ignored: ['obs'] },
      schedule: {
        timeZone: 'system',
        week: Array.from({ length: 7 }, (_, day) => (day > 4 ? '1'.repeat(24) : `1111111${'0'.repeat(15)}11`)),
      },
    }),
  };
}

/** Two days of giving way, newest first. */
export function switches(now: number): readonly SwitchEntry[] {
  const causes: readonly SwitchEntry['to'][] = [
    { kind: 'game', name: 'Elden Ring' },
    'run',
    { kind: 'in-use', resumesAt: now },
    { kind: 'settling', after: 'fullscreen', resumesAt: now },
    { kind: 'fullscreen', name: 'VLC' },
    'run',
    { kind: 'cpu-busy', percent: 72, limit: 60 },
    'run',
    { kind: 'on-battery' },
    'run',
    { kind: 'sensor-unknown', sensor: 'media' },
    'run',
  ];
  return Array.from({ length: 72 }, (_, at) => ({
    id: 72 - at,
    at: now - 754_000 - at * 31 * MINUTE,
    lane: 'cpu',
    gpu: null,
    from: causes[(at + 1) % causes.length] ?? 'run',
    to: causes[at % causes.length] ?? 'run',
  }));
}
