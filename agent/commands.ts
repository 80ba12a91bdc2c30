import type { Diagnosed } from '../core/doctor.ts';
import { failed, type Outcome, succeeded } from '../core/errors.ts';
import { runningApps } from '../core/games.ts';
import { pauseEnd } from '../core/policy.ts';
import type { Address } from '../core/primitives.ts';
import { applyPatch, type Settings } from '../core/settings.ts';
import type { Agent } from './api.ts';
import type { Books } from './books.ts';
import type { Ports, Process } from './ports.ts';
import type { Prover } from './prover.ts';
import type { Wallet } from './wallet.ts';

type CommandOptions = {
  readonly ports: Pick<Ports, 'clock' | 'settings' | 'history' | 'traffic'>;
  readonly books: Books;
  readonly wallet: Wallet;
  readonly prover: Pick<Prover, 'prove' | 'last'>;
  readonly examine: () => Promise<Diagnosed>;
  readonly programs: () => readonly Process[];
  readonly wake: () => void;
};

/** The owner's commands: each changes the settings or starts something, and answers at once. */
export function createCommands(options: CommandOptions): Agent['commands'] {
  const { ports, books, wallet, prover, programs, wake } = options;
  const { clock, settings } = ports;

  async function acknowledge<T>(work: () => T | Promise<T>): Promise<Outcome<T>> {
    try {
      return succeeded(await work());
    } catch (error) {
      return failed(error);
    } finally {
      wake();
    }
  }
  const change = (edit: (current: Settings) => Settings): Promise<Outcome<null>> =>
    acknowledge(async () => {
      await settings.update(edit);
      return null;
    });
  const sharing = (edit: Partial<Settings['sharing']>): Promise<Outcome<null>> =>
    change((current) => ({ ...current, sharing: { ...current.sharing, ...edit } }));

  return {
    // Who says "share now" does not mean "once the pause is over".
    shareMode: (mode) => sharing({ mode, pausedUntil: null, draining: false }),
    pause: (choice) => sharing({ pausedUntil: pauseEnd(choice, clock.now(), clock.utcOffsetMinutes()) }),
    resume: () => sharing({ pausedUntil: null, draining: false }),
    finishThenStop: () => sharing({ draining: true }),
    switches: (query) => acknowledge(() => ports.history.page(query)),
    doctor: () => acknowledge(options.examine),
    runningApps: () => acknowledge(() => runningApps(programs(), settings.current().settings.games)),
    updateSettings: (patch) => change((current) => applyPatch(current, patch)),
    useFolder: (folder) =>
      change((current) => ({
        ...current,
        limits: { ...current.limits, storage: { ...current.limits.storage, folder } },
      })),
    resetSettings: () =>
      acknowledge(async () => {
        await settings.reset();
        return null;
      }),
    withdraw: ({ recipient }) =>
      acknowledge(() => {
        wallet.withdraw(recipient as Address | null);
        return null;
      }),
    prove: () => acknowledge(prover.prove),
    lastProof: () => acknowledge(prover.last),
    earnings: (query) => acknowledge(() => books.ledger()?.entries(query) ?? { entries: [], more: false }),
    dailyTraffic: ({ days }) => acknowledge(() => ports.traffic.days(days)),
    dailyEarnings: ({ days }) =>
      acknowledge(() => books.ledger()?.daily(days, clock.now(), clock.utcOffsetMinutes()) ?? []),
  };
}
