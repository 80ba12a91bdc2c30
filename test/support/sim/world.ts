import { account } from '../../../coordinator/ledger.ts';
import type { VerificationPolicy } from '../../../coordinator/verification/policy.ts';
import type { Amount } from '../../../core/money.ts';
import type { Address } from '../../../core/primitives.ts';
import { simAccount } from './books.ts';
import { SimCoordinator } from './coordinator.ts';
import { type Conscience, Machine, type Ring, SimDevice } from './device.ts';
import { Link, type LinkFaults } from './link.ts';
import { type Losses, noLosses, type Tally, type Workload } from './model.ts';
import { Random } from './random.ts';
import { Timeline } from './timeline.ts';

/** A world: a network, its people and their machines, from one seed. The same seed is the same world to the last unit. */

/** So many people of one kind. Each has a machine and a line of its own. */
export type Group = {
  readonly name: string;
  readonly people: number;
  readonly conscience: Omit<Conscience, 'ring' | 'leaves'>;
  /** Colludes in rings of so many. */
  readonly ring?: number;
  /** Identities that share one machine and one line. */
  readonly identities?: number;
  /** Leaves an identity behind after its first fake, and comes back with a new one. */
  readonly whitewashes?: boolean;
  /** Each identity has a line of its own. */
  readonly roams?: boolean;
};

export type WorldSetting = {
  readonly name: string;
  readonly seed: number;
  readonly policy: VerificationPolicy;
  readonly clawBack: boolean;
  readonly workloads: readonly Workload[];
  readonly jobsPerHour: number | null;
  readonly roundMs: number;
  readonly groups: readonly Group[];
  /** Work is ordered for so long; then what is under way ends, and all that may mature does. */
  readonly hours: number;
  readonly faults: LinkFaults;
  /** Share of the people whose machine restarts, whose line is cut and whose clock is wrong, again and again. */
  readonly restless: number;
};

export type Person = {
  readonly group: string;
  readonly pay: Amount;
  /** Jobs that it computed, fakes left out. */
  readonly worked: number;
  readonly faked: number;
  /** Right results that it was not paid for or had to give back. */
  readonly wronged: Losses;
};

export type Outcome = { readonly people: readonly Person[]; readonly tally: Tally; readonly digest: string };

const START = 1_800_000_000_000;
const HOUR_MS = 3_600_000;
const JOIN_WITHIN_MS = 2 * HOUR_MS;

type Household = {
  readonly group: Group;
  readonly network: string;
  readonly machine: Machine;
  readonly conscience: Conscience;
  readonly skewMs: number;
  readonly devices: SimDevice[];
};

function lossesOf(all: readonly Losses[]): Losses {
  const sum = noLosses();
  for (const losses of all) {
    sum.undecided += losses.undecided;
    sum.outvoted += losses.outvoted;
    sum.forfeited += losses.forfeited;
  }
  return sum;
}

export class World {
  readonly #setting: WorldSetting;
  readonly #timeline = new Timeline(START);
  readonly #random: Random;
  readonly #coordinator: SimCoordinator;
  readonly #households: Household[] = [];

  constructor(setting: WorldSetting) {
    this.#setting = setting;
    this.#random = new Random(setting.seed, 'world');
    this.#coordinator = new SimCoordinator(setting, this.#timeline, new Random(setting.seed, 'coordinator'));
    for (const group of setting.groups) this.#settle(group);
  }

  /** Runs to the end. What goes wrong is told with the seed that shows it again. */
  run(): Outcome {
    const { name, hours, policy, seed } = this.#setting;
    try {
      this.#timeline.runUntil(START + hours * HOUR_MS);
      this.#coordinator.closeOrders();
      for (const { devices } of this.#households) for (const { peer } of devices) peer.link.cut = false;
      this.#timeline.runUntil(START + hours * HOUR_MS + policy.maturity.mostMs + 48 * HOUR_MS);
      this.#check();
      return { people: this.#people(), tally: this.#coordinator.state.tally, digest: this.#digest() };
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      const again = `npm run bench -- cheat --world=${name} --seed=${seed}`;
      throw new Error(`${what}\nworld ${name}, seed ${seed}; to see it again: ${again}`, { cause: error });
    }
  }

  #settle(group: Group): void {
    let ring: Ring | null = null;
    for (let n = 0; n < group.people; n++) {
      if (group.ring !== undefined && n % group.ring === 0) ring = { name: `${group.name} ${n}`, answers: new Map() };
      const restless = this.#random.chance(this.#setting.restless);
      const household: Household = {
        group,
        network: `line-${this.#households.length}`,
        machine: new Machine(),
        conscience: { ...group.conscience, ring, leaves: group.whitewashes === true },
        skewMs: restless ? this.#random.between(-3, 8) * HOUR_MS : this.#random.between(-2_000, 2_000),
        devices: [],
      };
      this.#households.push(household);
      const joins = this.#random.between(0, JOIN_WITHIN_MS);
      this.#timeline.after(joins, () => {
        for (let id = 0; id < (group.identities ?? 1); id++) this.#join(household);
      });
      if (restless) this.#unsettle(household);
      if (group.whitewashes === true) this.#timeline.every(60_000, joins + 60_000, () => this.#whitewash(household));
    }
  }

  #join({ group, machine, conscience, skewMs, devices, ...household }: Household): void {
    const network = group.roams === true ? `${household.network}-${devices.length}` : household.network;
    const { workloads, faults } = this.#setting;
    const random = new Random(this.#random.below(2 ** 32), 'device');
    const traits = { owner: random.address(), network, machine, conscience, skewMs, workloads, slots: 1 };
    const link = new Link(this.#timeline, random, faults);
    devices.push(new SimDevice(traits, link, this.#timeline, random, this.#coordinator));
  }

  /** Its line is cut, or its machine restarts, every few hours. */
  #unsettle(household: Household): void {
    this.#timeline.after(this.#random.between(0.2, 12) * HOUR_MS, () => {
      if (this.#timeline.now > START + this.#setting.hours * HOUR_MS) return;
      const cut = this.#random.chance(0.5);
      for (const device of household.devices) {
        if (cut) device.peer.link.cut = true;
        else device.restart();
      }
      this.#timeline.after(this.#random.between(0.01, 8) * HOUR_MS, () => {
        for (const device of household.devices) device.peer.link.cut = false;
        this.#unsettle(household);
      });
    });
  }

  #whitewash(household: Household): void {
    const current = household.devices.at(-1);
    if (current === undefined || current.faked === 0 || this.#timeline.now > START + this.#setting.hours * HOUR_MS) {
      return;
    }
    this.#join(household);
  }

  /** What must hold when all is over, whatever happened. */
  #check(): void {
    const { books, peers } = this.#coordinator.state;
    books.audit();
    const { bond } = this.#setting.policy.maturity;
    for (const { device, owner, lanes } of peers.values()) {
      let bonds = 0n;
      for (const { suspicion, credits } of lanes.values()) {
        if (suspicion !== null) throw new Error(`${device} is still under suspicion`);
        for (const { ordinal, credited, job } of credits) if (ordinal <= bond && credited) bonds += job.workload.price;
      }
      const pending = books.balance(simAccount.pending(owner));
      if (pending !== bonds) throw new Error(`${device} has ${pending} that neither matured nor went back`);
    }
  }

  #people(): readonly Person[] {
    const { books, tally } = this.#coordinator.state;
    const earned = (owner: Address) => books.balance(account.credited(owner));
    return this.#households.map(({ group, machine, devices }) => ({
      group: group.name,
      pay: devices.reduce((sum, device) => sum + earned(device.traits.owner), 0n),
      worked: machine.worked,
      faked: devices.reduce((sum, device) => sum + device.faked, 0),
      wronged: lossesOf(devices.flatMap((device) => tally.wronged.get(device.peer.device) ?? [])),
    }));
  }

  /** Equal for equal runs: what everybody has, and what the checks cost. */
  #digest(): string {
    const { books, tally } = this.#coordinator.state;
    const owners = this.#people().map(({ pay, worked }) => `${pay}/${worked}`);
    return [books.balance(simAccount.checks), tally.jobs, ...owners].join(' ');
  }
}
