import type { Decision, Memory } from '../core/decide.ts';
import { bandwidthView, type LendingFacts, storageView } from '../core/lending.ts';
import { policyOf } from '../core/policy.ts';
import { LANES } from '../core/primitives.ts';
import type { Signals } from '../core/signals.ts';
import { mainReason, presenceOf, type RunningJob, type Snapshot, type TrafficView } from '../core/snapshot.ts';
import { lineBusy } from '../core/traffic.ts';
import type { NetworkInfo } from '../core/wire.ts';
import type { Picture } from './mirror.ts';
import type { Ledger, SettingsState } from './ports.ts';
import { problemsOf } from './problems.ts';
import type { Wallet } from './wallet.ts';

type Palette = {
  readonly version: string;
  readonly settings: SettingsState;
  readonly signals: Signals;
  readonly decision: Decision;
  readonly memory: Memory;
  readonly machine: Snapshot['machine'];
  readonly sensors: Snapshot['sensors'];
  readonly proof: Snapshot['proof'];
  /** Work was ended because the engine was too slow to freeze it. */
  readonly slow: { readonly detail: string; readonly at: number } | null;
  readonly ledgerFault: string | null;
  readonly vaultFault: string | null;
  /** What is wrong with the catalogue. */
  readonly catalogue: Snapshot['problems'];
  readonly url: string;
  readonly network: NetworkInfo | null;
  readonly running: readonly RunningJob[];
  readonly images: Snapshot['images'];
  readonly totals: ReturnType<Ledger['totals']> | null;
  readonly wallet: Wallet;
  readonly traffic: Omit<TrafficView, 'capBytes'>;
  readonly lending: LendingFacts;
};

/** The snapshot's content from what the agent knows. */
export function paint(from: Palette): Picture {
  const { signals, decision, memory, network, wallet, settings } = from;
  const { lanes } = decision;
  const policy = policyOf(settings.settings);
  const { limits, rules } = settings.settings;
  const busy = lineBusy(signals, rules.idleAfterSeconds);
  const gpus = typeof signals.gpus === 'string' ? [] : signals.gpus;
  const problems = problemsOf({
    ...{ settings, signals, policy, url: from.url },
    ledger: from.ledgerFault,
    chain: wallet.chainFault(),
    vault: from.vaultFault,
    slow: from.slow,
    catalogue: from.catalogue,
  });
  return {
    version: from.version,
    presence: presenceOf(lanes, problems),
    reason: mainReason(lanes),
    lanes: LANES.map((lane) => ({ lane, decision: lanes[lane], heldSince: memory.lanes[lane].heldSince })),
    gpus: gpus.flatMap(({ id, name }) => {
      const own = decision.gpus[id];
      return own === undefined ? [] : [{ id, name, decision: own, heldSince: memory.gpus[id]?.heldSince ?? null }];
    }),
    sensors: from.sensors,
    proof: from.proof,
    problems,
    running: from.running,
    images: from.images,
    earnings: {
      ...(from.totals ?? { verifying: 0n, credited: 0n, today: 0n, jobsToday: 0 }),
      published: wallet.published(),
      claimed: wallet.claimed(),
    },
    wallet: wallet.view(),
    engine: signals.engine,
    coordinator: signals.coordinator,
    network:
      network === null ? null : { name: network.name, tokenSymbol: network.tokenSymbol, chainId: network.chainId },
    traffic: { ...from.traffic, capBytes: policy.dataCapBytes },
    storage: storageView({ decision: lanes.storage, busy, limits }, from.lending.storage),
    bandwidth: bandwidthView({ decision: lanes.bandwidth, busy, limits }, from.lending.bandwidth),
    machine: from.machine,
    settings: settings.settings,
  };
}
