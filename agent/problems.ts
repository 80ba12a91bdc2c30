import type { Policy } from '../core/policy.ts';
import type { Signals } from '../core/signals.ts';
import type { Problem } from '../core/snapshot.ts';
import type { SettingsState } from './ports.ts';

type Faults = {
  readonly settings: SettingsState;
  readonly ledger: string | null;
  readonly signals: Signals;
  readonly policy: Policy;
  readonly url: string;
  readonly chain: string | null;
  readonly vault: string | null;
  /** Of the catalogue. */
  readonly catalogue: readonly Problem[];
  readonly slow: { readonly detail: string; readonly at: number } | null;
};

/** What the owner should know of, worst first; computed anew each time, so each goes when its cause does. */
export function problemsOf(faults: Faults): readonly Problem[] {
  const { settings, ledger, signals, policy, url, chain, vault, slow, catalogue } = faults;
  const problems: Problem[] = [];
  if (settings.kind === 'broken') {
    problems.push({ kind: 'settings-broken', path: settings.path, detail: settings.detail });
  }
  if (ledger !== null) problems.push({ kind: 'ledger-unwritable', detail: ledger });
  if (vault !== null) problems.push({ kind: 'vault-unreadable', detail: vault });
  problems.push(...catalogue);
  const { engine, coordinator, freeDiskBytes, sandboxLeaks } = signals;
  if (sandboxLeaks) problems.push({ kind: 'sandbox-leaks' });
  if (engine.kind === 'absent') problems.push({ kind: 'engine-absent', detail: engine.detail });
  if (engine.kind === 'forbidden') problems.push({ kind: 'engine-forbidden', detail: engine.detail });
  if (engine.kind === 'unfit') problems.push({ kind: 'engine-unfit', why: engine.why });
  if (typeof freeDiskBytes === 'number' && freeDiskBytes < policy.minFreeDiskBytes) {
    problems.push({ kind: 'disk-low', freeBytes: freeDiskBytes, neededBytes: policy.minFreeDiskBytes });
  }
  if (slow !== null) problems.push({ kind: 'engine-slow', ...slow });
  if (coordinator.kind === 'refused') problems.push({ kind: 'coordinator-refused', url, detail: coordinator.detail });
  if (coordinator.kind === 'away') problems.push({ kind: 'coordinator-away', url, detail: coordinator.detail });
  if (chain !== null) problems.push({ kind: 'chain-away', detail: chain });
  return problems;
}
