import { type Hex32, type Lane, perLane } from '../core/primitives.ts';

/** Leases that take slots of a device, counted as they come and go: it is asked for each of them at every hand-out. */
export class Slots {
  readonly #leases = new Map<Hex32, { readonly lane: Lane; readonly waits: boolean }>();
  readonly #counts: Record<Lane, number> = { ...perLane(() => 0) };

  count(lane: Lane): number {
    return this.#counts[lane];
  }

  /** `waits`: it is not written yet. */
  take(leaseId: Hex32, lane: Lane, waits: boolean): void {
    this.free(leaseId);
    this.#leases.set(leaseId, { lane, waits });
    this.#counts[lane] += 1;
  }

  /** Answers which lane has one more now; null: none. */
  free(leaseId: Hex32): Lane | null {
    const known = this.#leases.get(leaseId);
    if (known === undefined) return null;
    this.#leases.delete(leaseId);
    this.#counts[known.lane] -= 1;
    return known.lane;
  }

  /** The device said how much room there is, knowing of all that was sent to it: only what is not written takes of that. */
  restated(lane: Lane): void {
    for (const [leaseId, known] of this.#leases) if (known.lane === lane && !known.waits) this.free(leaseId);
  }
}
