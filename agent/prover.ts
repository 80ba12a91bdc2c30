import type { Catalogue, CatalogueEntry } from '../core/catalogue.ts';
import { asFailure, fail } from '../core/errors.ts';
import type { Address, Hex32 } from '../core/primitives.ts';
import { holds, type Proof, type ProofView } from '../core/proof.ts';
import type { ObservedContainer } from '../core/reconcile.ts';
import type { Share } from '../core/sandbox.ts';
import type { EngineWatch } from './engine-watch.ts';
import type { Ports } from './ports.ts';
import { type ProvePorts, prove } from './prove.ts';

/** The owner's button: one proof at a time, and what the last one came to. */
export type Prover = {
  /** Throws CONFLICT (one is under way), ENGINE_AWAY, NOT_FOUND. */
  readonly prove: () => Promise<Proof>;
  readonly last: () => Proof | null;
  readonly view: () => ProofView;
  /** Something got out at the last proof: no work may run until one says otherwise. */
  readonly leaks: () => boolean;
  /** Containers that are no probes. */
  readonly others: (containers: readonly ObservedContainer[]) => readonly ObservedContainer[];
  /** Reads what the last proof came to, in this run or an earlier one. */
  readonly open: () => Promise<void>;
  /** One under way is given up, and no other begins. */
  readonly close: () => void;
};

type ProverOptions = {
  readonly ports: ProvePorts & Pick<Ports, 'proofs'>;
  readonly device: Address;
  readonly instance: string;
  readonly engine: Pick<EngineWatch, 'state' | 'launch'>;
  readonly catalogue: () => Catalogue;
  readonly share: () => Share;
  readonly changed: () => void;
};

/** The probe's entry. Throws NOT_FOUND. */
export const probeIn = (list: Catalogue): CatalogueEntry =>
  list.entries.find(({ purpose }) => purpose === 'probe') ??
  fail('NOT_FOUND', 'the catalogue has no probe; update Idlemesh and start it again');

export function createProver(options: ProverOptions): Prover {
  const { ports, changed } = options;
  const leases = new Set<Hex32>();
  let last: Proof | null = null;
  let running: ProofView['running'] = null;
  let closed = false;
  /** Something got out, and no proof has held since. */
  let leaking = false;
  let unsubscribe = (): void => undefined;

  /** One that was made beside us, in a terminal, counts as ours does. */
  async function reread(): Promise<void> {
    const found = await ports.proofs.load();
    if (closed || running !== null || found === null || found.finishedAt <= (last?.finishedAt ?? 0)) return;
    last = found;
    leaking = found.escaped > 0 || (leaking && !holds(found));
    changed();
  }

  async function run(startedAt: number): Promise<Proof> {
    const engine = options.engine.state();
    if (engine.kind !== 'ready') fail('ENGINE_AWAY', 'Docker is not ready: start it, and try again');
    const { device, instance } = options;
    const from = { entry: probeIn(options.catalogue()), share: options.share(), launch: options.engine.launch() };
    const owns = (lease: Hex32): void => void leases.add(lease);
    const whose = { ports, device, instance, engine: engine.version, owns, cancelled: () => closed };
    return prove({ ...whose, ...from }, ({ suite, results }) => {
      const tried = results.filter(({ outcome }) => outcome !== 'unavailable').length;
      const escaped = results.filter(({ outcome }) => outcome === 'escaped').length;
      running = { startedAt, suite, tried, escaped };
      leaking ||= escaped > 0;
      changed();
    });
  }

  return {
    async prove() {
      if (running !== null) fail('CONFLICT', 'a proof is under way; wait for its end');
      const startedAt = ports.clock.now();
      running = { startedAt, suite: 'reach', tried: 0, escaped: 0 };
      changed();
      try {
        const found = await run(startedAt);
        leaking = found.escaped > 0 || (leaking && !holds(found));
        if (found.escaped > 0) ports.log('error', 'sandbox-leaks', { escaped: found.escaped });
        // One that came to no end says nothing against what got out before: that stays on record.
        if (leaking && found.escaped === 0) return found;
        last = found;
        await ports.proofs.save(found).catch((error: unknown) => {
          // What was found is in force all the same.
          ports.log('warn', 'proof-not-kept', { detail: asFailure(error).message });
        });
        return found;
      } finally {
        running = null;
        leases.clear();
        changed();
      }
    },
    last: () => last,
    view: () => ({
      running,
      last:
        last === null
          ? null
          : {
              finishedAt: last.finishedAt,
              tried: last.tried,
              escaped: last.escaped,
              missing: last.missing.length,
            },
    }),
    leaks: () => leaking,
    others: (containers) => containers.filter(({ leaseId }) => !leases.has(leaseId)),
    close() {
      closed = true;
      unsubscribe();
    },
    async open() {
      unsubscribe = ports.proofs.onChange(() => void reread());
      last = await ports.proofs.load();
      leaking = (last?.escaped ?? 0) > 0;
      changed();
    },
  };
}
