import type { Party } from './verification/trust.ts';

/** Counted anew after so long: who is offered what is drawn within a round in any case. */
const COUNT_EVERY_MS = 100;

type Member = {
  readonly party: Party | null;
  readonly awaited: { readonly held: number };
  readonly standing: { readonly trustedWith: ReadonlySet<string> };
};

/** How many leases owners and networks hold, and how many owners are trusted, of the devices that are connected here. */
export class Crowd {
  readonly #members: () => Iterable<Member>;
  #countedAt = Number.NEGATIVE_INFINITY;
  #held = new Map<string, number>();
  #trusted = new Map<string, Set<string>>();

  constructor(members: () => Iterable<Member>) {
    this.#members = members;
  }

  /** Of its owner or of its network, whichever has more. */
  of({ owner, network = null }: { readonly owner: string; readonly network?: string | null }): number {
    this.#renew();
    const ofNetwork = network === null ? 0 : (this.#held.get(network) ?? 0);
    return Math.max(this.#held.get(owner) ?? 0, ofNetwork);
  }

  /** Owners that are trusted with a kind of work. */
  trusted(kind: string): number {
    this.#renew();
    return this.#trusted.get(kind)?.size ?? 0;
  }

  #renew(): void {
    if (performance.now() - this.#countedAt <= COUNT_EVERY_MS) return;
    this.#countedAt = performance.now();
    this.#held = new Map();
    this.#trusted = new Map();
    for (const { party, awaited, standing } of this.#members()) {
      if (party === null) continue;
      for (const kind of standing.trustedWith) {
        const owners = this.#trusted.get(kind) ?? new Set();
        this.#trusted.set(kind, owners.add(party.owner));
      }
      const { held } = awaited;
      for (const name of [party.owner, ...(party.network === null ? [] : [party.network])]) {
        this.#held.set(name, (this.#held.get(name) ?? 0) + held);
      }
    }
  }
}
