import type { Agent, NodeAgentOptions, OpenedAgent } from '../../agent/api.ts';
import { Failure, failed, succeeded } from '../../core/errors.ts';
import { pauseEnd } from '../../core/policy.ts';
import { LANES } from '../../core/primitives.ts';
import { applyPatch, defaultSettings, type Settings } from '../../core/settings.ts';
import type { Problem, Snapshot } from '../../core/snapshot.ts';

const OWNER = `0x${'11'.repeat(20)}` as const;
const DEVICE = `0x${'22'.repeat(20)}` as const;

/** A snapshot of a device at rest; `changes` say what is otherwise. */
export function snapshotOf(changes: Partial<Snapshot> = {}): Snapshot {
  return {
    rev: 1,
    at: 0,
    version: '0.0.0',
    presence: 'waiting',
    reason: { kind: 'in-use', resumesAt: 180_000 },
    lanes: LANES.map((lane) => ({
      lane,
      decision: { kind: 'hold', reason: { kind: 'lane-not-offered' } },
      heldSince: 0,
    })),
    gpus: [],
    sensors: [],
    proof: { running: null, last: null },
    problems: [],
    running: [],
    images: [],
    earnings: { verifying: 0n, credited: 0n, today: 0n, published: 'unknown', claimed: 'unknown', jobsToday: 0 },
    wallet: {
      owner: OWNER,
      device: DEVICE,
      protection: 'file',
      balance: 'unknown',
      claimable: 'unknown',
      withdrawal: { kind: 'idle' },
    },
    engine: { kind: 'ready', version: '20.10' },
    coordinator: { kind: 'connected', since: 0 },
    network: { name: 'practice', tokenSymbol: 'IDLE', chainId: 31337 },
    ...{ traffic: null, storage: null, bandwidth: null },
    machine: { cpuCores: 2, memoryBytes: 2 ** 32 },
    settings: defaultSettings(),
    ...changes,
  };
}

/** An agent without a world: it obeys, counts its revisions and earns a token with every wake. */
export class StubAgent implements Agent {
  #snapshot: Snapshot;
  readonly #listeners = new Set<(snapshot: Snapshot) => void>();
  readonly #now: () => number;
  stopped = false;

  constructor(now: () => number, changes: Partial<Snapshot> = {}) {
    this.#now = now;
    this.#snapshot = snapshotOf(changes);
  }

  readonly start = async (): Promise<void> => this.#change({});
  readonly stop = async (): Promise<void> => {
    this.stopped = true;
    this.#listeners.clear();
  };
  readonly snapshot = (): Snapshot => this.#snapshot;
  readonly onSnapshot = (listener: (snapshot: Snapshot) => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  readonly wake = (): void => {
    const { earnings } = this.#snapshot;
    this.#change({ earnings: { ...earnings, today: earnings.today + 10n ** 18n } });
  };
  readonly commands: Agent['commands'] = {
    shareMode: async (mode) => {
      this.#settle({ ...this.#snapshot.settings, sharing: { mode, pausedUntil: null, draining: false } });
      return succeeded(null);
    },
    pause: async (choice) => {
      const pausedUntil = pauseEnd(choice, this.#now(), 0);
      this.#settle({ ...this.#snapshot.settings, sharing: { ...this.#snapshot.settings.sharing, pausedUntil } });
      return succeeded(null);
    },
    resume: async () => {
      this.#settle({
        ...this.#snapshot.settings,
        sharing: { ...this.#snapshot.settings.sharing, pausedUntil: null, draining: false },
      });
      return succeeded(null);
    },
    updateSettings: async (patch) => {
      this.#settle(applyPatch(this.#snapshot.settings, patch));
      return succeeded(null);
    },
    finishThenStop: async () => {
      this.#settle({
        ...this.#snapshot.settings,
        sharing: { ...this.#snapshot.settings.sharing, draining: true },
      });
      return succeeded(null);
    },
    switches: async () => succeeded({ entries: [], more: false }),
    doctor: async () => succeeded({ at: this.#now(), findings: [] }),
    runningApps: async () => succeeded([]),
    prove: async () => failed(new Failure('ENGINE_AWAY', 'the stub has no engine')),
    lastProof: async () => succeeded(null),
    resetSettings: async () => {
      this.#settle(defaultSettings());
      return succeeded(null);
    },
    withdraw: async () => failed(new Failure('CHAIN_AWAY', 'the stub has no chain')),
    earnings: async () => succeeded({ entries: [], more: false }),
    dailyEarnings: async () => succeeded([]),
    dailyTraffic: async () => succeeded([]),
    useFolder: async (folder) => {
      const { settings } = this.#snapshot;
      const storage = { ...settings.limits.storage, folder };
      this.#settle({ ...settings, limits: { ...settings.limits, storage } });
      return succeeded(null);
    },
  };

  /** Shows a fault, or none. */
  trouble(problems: readonly Problem[]): void {
    this.#change({ problems, presence: problems.length > 0 ? 'attention' : 'waiting' });
  }

  #settle(settings: Settings): void {
    const { mode, pausedUntil } = settings.sharing;
    if (pausedUntil !== null) {
      this.#change({ settings, presence: 'paused', reason: { kind: 'paused', until: pausedUntil } });
    } else if (mode === 'now') {
      this.#change({ settings, presence: 'sharing', reason: null });
    } else {
      const resumesAt = this.#now() + settings.rules.idleAfterSeconds * 1000;
      this.#change({ settings, presence: 'waiting', reason: { kind: 'in-use', resumesAt } });
    }
  }

  #change(changes: Partial<Snapshot>): void {
    this.#snapshot = { ...this.#snapshot, ...changes, rev: this.#snapshot.rev + 1, at: this.#now() };
    for (const listener of this.#listeners) listener(this.#snapshot);
  }
}

export async function openStubAgent(options: NodeAgentOptions): Promise<OpenedAgent> {
  return { agent: new StubAgent(() => Date.now(), { version: options.version }), owner: OWNER, device: DEVICE };
}
