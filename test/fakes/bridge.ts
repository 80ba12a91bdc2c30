import type { Finding } from '../../core/doctor.ts';
import { type Outcome, succeeded } from '../../core/errors.ts';
import type {
  Bridge,
  CommandName,
  Commands,
  DailyEarnings,
  DailyTraffic,
  EarningsEntry,
  RunningApp,
  SwitchEntry,
} from '../../core/ipc.ts';
import type { Proof } from '../../core/proof.ts';
import { applyPatch } from '../../core/settings.ts';
import type { Snapshot } from '../../core/snapshot.ts';

/** A working application behind a window: keeps settings, pages history, pushes a newer snapshot after each change. */
export class FakeBridge implements Bridge {
  readonly commands: Commands;
  readonly calls: { readonly name: CommandName; readonly argument: unknown }[] = [];
  /** Open subscriptions; a window that leaves takes its own along. */
  readonly listeners = new Set<(snapshot: Snapshot) => void>();
  /** What this device finished, newest first. */
  history: readonly EarningsEntry[] = [];
  /** What began and stopped, newest first. */
  switched: readonly SwitchEntry[] = [];
  apps: readonly RunningApp[] = [];
  proof: Proof = { startedAt: 0, finishedAt: 0, engine: '', image: '', results: [], tried: 0, escaped: 0, missing: [] };
  findings: readonly Finding[] = [];
  daily: (days: number) => DailyEarnings = () => [];
  traffic: (days: number) => DailyTraffic = () => [];
  /** What the owner chooses in the dialog for a folder. */
  folder: string | null = null;
  #current: Snapshot;
  #refusal: Outcome<never> | null = null;

  constructor(first: Snapshot) {
    this.#current = first;
    this.commands = {
      shareMode: this.#command('shareMode', (mode) => {
        this.#change({
          settings: { ...this.#current.settings, sharing: { mode, pausedUntil: null, draining: false } },
        });
        return null;
      }),
      pause: this.#command('pause', () => {
        this.#change({ presence: 'paused', reason: { kind: 'paused', until: 'resumed' } });
        return null;
      }),
      resume: this.#command('resume', () => {
        this.#change({ presence: 'sharing', reason: null });
        return null;
      }),
      finishThenStop: this.#command('finishThenStop', () => {
        const { settings } = this.#current;
        this.#change({ settings: { ...settings, sharing: { ...settings.sharing, draining: true } } });
        return null;
      }),
      switches: this.#command('switches', ({ before, limit }) => {
        const older = this.switched.filter((entry) => before === null || entry.id < before);
        return { entries: older.slice(0, limit), more: older.length > limit };
      }),
      prove: this.#command('prove', () => this.proof),
      lastProof: this.#command('lastProof', () => this.proof),
      doctor: this.#command('doctor', () => ({ at: 0, findings: this.findings })),
      runningApps: this.#command('runningApps', () => this.apps),
      updateSettings: this.#command('updateSettings', (patch) => {
        this.#change({ settings: applyPatch(this.#current.settings, patch) });
        return null;
      }),
      resetSettings: this.#command('resetSettings', () => null),
      withdraw: this.#command('withdraw', () => null),
      earnings: this.#command('earnings', ({ before, limit }) => {
        const older = this.history.filter((entry) => before === null || entry.at < before);
        return { entries: older.slice(0, limit), more: older.length > limit };
      }),
      dailyEarnings: this.#command('dailyEarnings', ({ days }) => this.daily(days)),
      dailyTraffic: this.#command('dailyTraffic', ({ days }) => this.traffic(days)),
      chooseFolder: this.#command('chooseFolder', () => {
        const { settings } = this.#current;
        const storage = { ...settings.limits.storage, folder: this.folder };
        if (this.folder !== null) this.#change({ settings: { ...settings, limits: { ...settings.limits, storage } } });
        return this.folder;
      }),
      openHelp: this.#command('openHelp', () => null),
    };
  }

  readonly snapshot = (): Promise<Snapshot> => Promise.resolve(this.#current);

  readonly onSnapshot = (listener: (snapshot: Snapshot) => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Every command fails this way until `accept`. */
  refuse(failure: Extract<Outcome<never>, { readonly ok: false }>['failure']): void {
    this.#refusal = { ok: false, failure };
  }

  accept(): void {
    this.#refusal = null;
  }

  push(next: Snapshot): void {
    this.#current = next;
    for (const listener of this.listeners) listener(next);
  }

  #change(part: Partial<Snapshot>): void {
    this.push({ ...this.#current, ...part, rev: this.#current.rev + 1 });
  }

  #command<Argument, Value>(
    name: CommandName,
    act: (argument: Argument) => Value,
  ): (argument: Argument) => Promise<Outcome<Value>> {
    return async (argument) => {
      this.calls.push({ name, argument });
      return this.#refusal ?? succeeded(act(argument));
    };
  }
}
