import type { Agent } from '../agent/api.ts';
import { type Failure, failed, type Outcome } from '../core/errors.ts';
import { LANES } from '../core/primitives.ts';
import { defaultSettings } from '../core/settings.ts';
import type { Problem, Snapshot } from '../core/snapshot.ts';

type Closed = {
  readonly failure: Failure;
  readonly version: string;
  readonly dataDir: string;
  readonly at: number;
  readonly machine: Snapshot['machine'];
};

/** What stands in for an agent that could not be opened: it shares nothing, changes nothing, and says why. */
export function closedAgent(closed: Closed): Agent {
  const refuse = async <T>(): Promise<Outcome<T>> => failed(closed.failure);
  const snapshot = closedSnapshot(closed);
  return {
    start: async () => {},
    stop: async () => {},
    snapshot: () => snapshot,
    onSnapshot: () => () => {},
    wake: () => {},
    commands: {
      shareMode: refuse,
      pause: refuse,
      resume: refuse,
      finishThenStop: refuse,
      updateSettings: refuse,
      resetSettings: refuse,
      withdraw: refuse,
      earnings: refuse,
      dailyEarnings: refuse,
      dailyTraffic: refuse,
      useFolder: refuse,
      switches: refuse,
      runningApps: refuse,
      doctor: refuse,
      prove: refuse,
      lastProof: refuse,
    },
  };
}

function problemOf({ failure, dataDir }: Closed): Problem {
  switch (failure.code) {
    case 'DISK_FULL':
      return { kind: 'ledger-unwritable', detail: failure.message };
    case 'SETTINGS_BROKEN':
      return { kind: 'settings-broken', path: dataDir, detail: failure.message };
    case 'VAULT_UNREADABLE':
      return { kind: 'vault-unreadable', detail: failure.message };
    default:
      return { kind: 'not-started', detail: failure.message };
  }
}

const closedSnapshot = (closed: Closed): Snapshot => ({
  // Below any revision of the agent that may take over.
  rev: 0,
  at: closed.at,
  version: closed.version,
  presence: 'attention',
  reason: null,
  gpus: [],
  sensors: [],
  proof: { running: null, last: null },
  lanes: LANES.map((lane) => ({
    lane,
    decision: { kind: 'hold', reason: { kind: 'lane-not-offered' } },
    heldSince: closed.at,
  })),
  problems: [problemOf(closed)],
  running: [],
  images: [],
  earnings: { verifying: 0n, credited: 0n, today: 0n, published: 'unknown', claimed: 'unknown', jobsToday: 0 },
  wallet: null,
  engine: { kind: 'unchecked' },
  coordinator: { kind: 'connecting' },
  network: null,
  ...{ traffic: null, storage: null, bandwidth: null },
  machine: closed.machine,
  settings: defaultSettings(),
});
