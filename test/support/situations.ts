import type { Reason } from '../../core/decide.ts';
import type { UnixMs } from '../../core/primitives.ts';
import type { Problem } from '../../core/snapshot.ts';

const MINUTE_MS = 60_000;
const GIB = 1024 ** 3;

/** One of every reason, as of `now`; a new one does not compile until it is here. */
export const reasonsAt = (
  now: UnixMs,
): { readonly [Kind in Reason['kind']]: Extract<Reason, { readonly kind: Kind }> } => ({
  'settings-broken': { kind: 'settings-broken' },
  'ledger-unwritable': { kind: 'ledger-unwritable' },
  'sandbox-leaks': { kind: 'sandbox-leaks' },
  paused: { kind: 'paused', until: now + 50 * MINUTE_MS },
  'lane-off': { kind: 'lane-off' },
  'lane-not-offered': { kind: 'lane-not-offered' },
  'engine-unchecked': { kind: 'engine-unchecked' },
  'engine-absent': { kind: 'engine-absent' },
  'engine-forbidden': { kind: 'engine-forbidden' },
  'engine-unfit': { kind: 'engine-unfit', why: { kind: 'no-seccomp' } },
  'disk-low': { kind: 'disk-low', freeBytes: GIB, neededBytes: 2 * GIB },
  'on-battery': { kind: 'on-battery' },
  'idle-unknown': { kind: 'idle-unknown' },
  'in-use': { kind: 'in-use', resumesAt: now + 1.5 * MINUTE_MS },
  'no-gpu': { kind: 'no-gpu' },
  'gpu-refused': { kind: 'gpu-refused', gpu: 'RTX 4080', why: { kind: 'no-runtime' } },
  drained: { kind: 'drained' },
  'schedule-closed': { kind: 'schedule-closed', opensAt: now + 120 * MINUTE_MS },
  metered: { kind: 'metered' },
  'data-cap': { kind: 'data-cap', capBytes: 50 * GIB, resetsAt: now + 9 * 24 * 60 * MINUTE_MS },
  'too-hot': { kind: 'too-hot', celsius: 91.4, limit: 90 },
  game: { kind: 'game', name: 'Portal 2' },
  fullscreen: { kind: 'fullscreen', name: 'Firefox' },
  'gpu-memory': { kind: 'gpu-memory', gpu: 'GeForce', percent: 70, limit: 60 },
  'gpu-busy': { kind: 'gpu-busy', gpu: 'GeForce', percent: 30, limit: 20 },
  media: { kind: 'media', name: 'VLC' },
  'cpu-busy': { kind: 'cpu-busy', percent: 70, limit: 60 },
  'sensor-unknown': { kind: 'sensor-unknown', sensor: 'games' },
  settling: { kind: 'settling', after: 'game', resumesAt: now + MINUTE_MS / 2 },
  'coordinator-away': { kind: 'coordinator-away' },
  'fetching-image': { kind: 'fetching-image', percent: 42 },
});

/** One of every fault; a new one does not compile until it is here. */
export const PROBLEM: { readonly [Kind in Problem['kind']]: Extract<Problem, { readonly kind: Kind }> } = {
  'settings-broken': {
    kind: 'settings-broken',
    path: '~/.config/idlemesh/settings.json',
    detail: 'limits.cpuPercent: expected number',
  },
  'ledger-unwritable': { kind: 'ledger-unwritable', detail: 'no space left on device' },
  'sandbox-leaks': { kind: 'sandbox-leaks' },
  'engine-absent': { kind: 'engine-absent', detail: 'nothing answers at /var/run/docker.sock' },
  'engine-forbidden': { kind: 'engine-forbidden', detail: 'connect EACCES /var/run/docker.sock' },
  'engine-unfit': { kind: 'engine-unfit', why: { kind: 'no-limit', of: 'memory' } },
  'engine-slow': { kind: 'engine-slow', detail: 'freezing took 2.3 s', at: 0 },
  'disk-low': { kind: 'disk-low', freeBytes: 1.2 * GIB, neededBytes: 2 * GIB },
  'coordinator-away': { kind: 'coordinator-away', url: 'http://127.0.0.1:7350', detail: 'connection refused' },
  'coordinator-refused': {
    kind: 'coordinator-refused',
    url: 'http://127.0.0.1:7350',
    detail: 'this device was revoked',
  },
  'chain-away': { kind: 'chain-away', detail: 'connection refused' },
  'vault-unreadable': { kind: 'vault-unreadable', detail: 'the keyring is locked' },
  'catalogue-untrusted': { kind: 'catalogue-untrusted', why: { kind: 'expired', since: 1_790_000_000_000 } },
  'catalogue-refused': {
    ...{ kind: 'catalogue-refused', url: 'http://127.0.0.1:7350' },
    why: { kind: 'older', version: 3, highest: 5 },
  },
  'catalogue-expiring': { kind: 'catalogue-expiring', at: 1_790_000_000_000 },
  'not-started': { kind: 'not-started', detail: 'the database is locked' },
};
export const PROBLEMS: readonly Problem[] = Object.values(PROBLEM);
