import type { Hex32, UnixMs } from '../core/primitives.ts';
import type { CoordinatorMessage } from '../core/wire.ts';
import type { Sole } from './happenings.ts';

/** Leases of which a connected device knows, and of whose end it has not been told. */
export class Awaited {
  readonly #leases = new Map<Hex32, { readonly since: UnixMs; stored: boolean; sole: Sole | null }>();

  expect(leaseIds: readonly Hex32[], now: UnixMs): void {
    for (const leaseId of leaseIds) this.#leases.set(leaseId, { since: now, stored: false, sole: null });
  }

  over(leaseId: Hex32): void {
    this.#leases.delete(leaseId);
  }

  /** Follows what the device is told. */
  told(message: CoordinatorMessage, now: UnixMs): void {
    if (message.type === 'lease') this.expect([message.lease.leaseId], now);
    else if (message.type === 'leases')
      this.expect(
        message.leases.map(({ leaseId }) => leaseId),
        now,
      );
    else if (message.type === 'result-stored') this.#store(message.leaseId);
    else if (message.type === 'results-stored') for (const leaseId of message.leaseIds) this.#store(leaseId);
    else if (message.type === 'verdict') this.over(message.verdict.leaseId);
    else if (message.type === 'verdicts') for (const { leaseId } of message.verdicts) this.over(leaseId);
    else if (message.type === 'cancel') this.over(message.leaseId);
  }

  /** What is known of their jobs from when they went out. */
  know(given: readonly { readonly message: { readonly leaseId: Hex32 }; readonly sole: Sole | null }[]): void {
    for (const { message, sole } of given) {
      const lease = this.#leases.get(message.leaseId);
      if (lease !== undefined) lease.sole = sole;
    }
  }
  soleOf(leaseId: Hex32): Sole | null {
    return this.#leases.get(leaseId)?.sole ?? null;
  }

  #store(leaseId: Hex32): void {
    const lease = this.#leases.get(leaseId);
    if (lease === undefined) return;
    lease.stored = true;
    lease.sole = null;
  }

  has(leaseId: Hex32): boolean {
    return this.#leases.has(leaseId);
  }
  /** Whether it was told that its result is stored. */
  isStored(leaseId: Hex32): boolean {
    return this.#leases.get(leaseId)?.stored ?? false;
  }
  /** Those that are at work, as far as is known here. */
  get held(): number {
    let held = 0;
    for (const { stored } of this.#leases.values()) held += Number(!stored);
    return held;
  }
  since(before: UnixMs): readonly Hex32[] {
    return [...this.#leases].flatMap(([leaseId, { since }]) => (since < before ? [leaseId] : []));
  }
}
