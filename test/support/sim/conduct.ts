import type { VerificationPolicy } from '../../../coordinator/verification/policy.ts';
import {
  type Conduct,
  type ConductDay,
  conductOf,
  dayOf,
  type Party,
} from '../../../coordinator/verification/trust.ts';
import type { UnixMs } from '../../../core/primitives.ts';

/** What devices, owners and networks have shown, by day. */
export class ConductBook {
  readonly #days = new Map<string, Map<number, ConductDay>>();

  #names(device: string, { owner, network }: Party): readonly string[] {
    return [device, owner, ...(network === null ? [] : [network])];
  }

  add(device: string, party: Party, at: UnixMs, bad: boolean): void {
    const day = dayOf(at);
    for (const name of this.#names(device, party)) {
      const days = this.#days.get(name) ?? new Map<number, ConductDay>();
      this.#days.set(name, days);
      const before = days.get(day) ?? { day, checked: 0, bad: 0 };
      days.set(day, { day, checked: before.checked + 1, bad: before.bad + Number(bad) });
    }
  }

  of(device: string, party: Party, now: UnixMs, policy: VerificationPolicy): readonly Conduct[] {
    return this.#names(device, party).map((name) => conductOf(this.#days.get(name)?.values() ?? [], now, policy));
  }
}
