import { DEFAULT_POLICY, type VerificationPolicy } from '../../../coordinator/verification/policy.ts';
import { CALM, STORM } from './link.ts';
import type { Workload } from './model.ts';
import type { Group, WorldSetting } from './world.ts';

/** Of an honest machine's results so many are wrong: memory that flips, a clock set too high, a fan that fails. */
export const FAULTS = 1e-4;
const DAY_MS = 86_400_000;

export const CPU_WORK: Workload = { id: 'encode', image: 'encode-image', lane: 'cpu', price: 10n ** 15n };
const GPU_WORK: Workload = { id: 'render', image: 'render-image', lane: 'gpu', price: 7n * 10n ** 15n + 1n };

export const honest = (people: number, name = 'honest'): Group => ({
  name,
  people,
  conscience: { fakes: 0, faults: FAULTS, sleeper: false },
});

/** `naive` ones cheat from the first job on, `sleeping` ones only while they are trusted, which they always know. */
export const liars = (
  name: string,
  people: number,
  fakes: number,
  sleeper: boolean,
  more: Partial<Group> = {},
): Group => ({
  name,
  people,
  conscience: { fakes, faults: FAULTS, sleeper },
  ...more,
});

/**
 * The rule of BOINC's adaptive replication as it is published (sched/sched_send.cpp): trusted after ten consecutive replicated valid results,
 * then replicated with the chance 1/valid; credit at once, and none is taken back. Unlike there, who is caught again and again is given a
 * rest, as in our rule, where BOINC lowers a daily quota.
 */
export const BOINC_POLICY: VerificationPolicy = {
  ...DEFAULT_POLICY,
  leastReplicated: 0,
  canaries: 0,
  stakeFactor: 0,
  maturity: { ...DEFAULT_POLICY.maturity, jobs: 0, leastMs: 0, bond: 0 },
  dispute: { ...DEFAULT_POLICY.dispute, lead: 1 },
};

/** The default rule with waits that fit into a day and a half, so that small worlds see all of it. */
export const HASTY_POLICY: VerificationPolicy = {
  ...DEFAULT_POLICY,
  leastReplicated: 0.05,
  canaries: 0.05,
  maturity: { jobs: 30, leastMs: DAY_MS / 8, mostMs: 2 * DAY_MS, bond: 1 },
  recheckAtOnce: 5,
  rest: { firstMs: DAY_MS / 48, mostMs: DAY_MS / 2 },
};

export const calmWorld = (
  name: string,
  seed: number,
  groups: readonly Group[],
  change: Partial<WorldSetting> = {},
): WorldSetting => ({
  ...{ name, seed, groups, policy: DEFAULT_POLICY, clawBack: true, workloads: [CPU_WORK], jobsPerHour: null },
  ...{ hours: 168, faults: CALM, restless: 0.02, roundMs: 10_000 },
  ...change,
});

/** All kinds of people on a network that loses, doubles, delays and cuts, with clocks hours off and machines that restart. */
export const stormWorld = (seed: number, change: Partial<WorldSetting> = {}): WorldSetting => ({
  ...{ name: 'storm', seed, policy: HASTY_POLICY, clawBack: true, workloads: [CPU_WORK, GPU_WORK], jobsPerHour: null },
  ...{ hours: 36, faults: STORM, restless: 0.5, roundMs: 60_000 },
  groups: [
    honest(30),
    liars('lazy', 3, 0.1, false),
    liars('sleeping', 3, 0.3, true),
    liars('lying', 2, 1, false),
    liars('ring', 5, 0.4, true, { ring: 5 }),
    liars('sybil', 1, 0.2, true, { identities: 5 }),
    liars('whitewashing', 1, 1, true, { whitewashes: true }),
  ],
  ...change,
});
