import type { Party } from './verification/trust.ts';

/** Counted anew after so long: who is offered what is drawn within a round in any case. */
const COUNT_EVERY_MS = 100;

type Member = { readonly party: Party | null; readonly awaited: { readonly held: number } };

/** How many leases owners and networks hold, of the devices that are connected here. */
export class Crowd {
  readonly #members: () => Iterable<Member>;
  #countedAt = Number.NEGATIVE_INFINITY;
  #held = new Map<string, number>();

  constructor(members: () => Iterable<Member>) {
    this.#members = members;
  }

  /** Of its owner or of its network, whichever has more. */
  of({ owner, network = null }: { readonly owner: string; readonly network?: string | null }): number {
    if (performance.now() - this.#countedAt > COUNT_EVERY_MS) this.#count();
    const ofNetwork = network === null ? 0 : (this.#held.get(network) ?? 0);
    return Math.max(this.#held.get(owner) ?? 0, ofNetwork);
  }

  #count(): void {
    this.#countedAt = performance.now();
    this.#held = new Map();
    for (const { party, awaited } of this.#members()) {
      if (party === null) continue;
      const { held } = awaited;
      for (const name of [party.owner, ...(party.network === null ? [] : [party.network])]) {
        this.#held.set(name, (this.#held.get(name) ?? 0) + held);
      }
    }
  }
}
