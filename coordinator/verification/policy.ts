import { fail } from '../../core/errors.ts';

/** Every number of verification. The derivation is in docs/decisions/0022. */
export type VerificationPolicy = {
  /** Consecutive replicated valid results, each with another partner, until a device is trusted with a workload. */
  readonly trustedAfter: number;
  /** Share of a trusted device's jobs that is replicated however long its record is. */
  readonly leastReplicated: number;
  /** Share of a trusted device's leases that are canaries. */
  readonly canaries: number;
  /** A job is replicated at least with so many times its price over what the device has to lose. */
  readonly stakeFactor: number;
  /**
   * Credit matures once it is `leastMs` old and `jobs` later ones are settled, and at the latest when it is `mostMs` old. The first `bond`
   * credits of a device and lane do not mature by age: what a new identity costs whoever leaves it behind.
   */
  readonly maturity: {
    readonly jobs: number;
    readonly leastMs: number;
    readonly mostMs: number;
    readonly bond: number;
  };
  /** Bad results that count as a fault of the machine: so many, and one more for each `perChecked` results that were checked. */
  readonly faults: { readonly free: number; readonly perChecked: number; readonly memoryMs: number };
  /** Leases of one suspect that are verified again at the same time. */
  readonly recheckAtOnce: number;
  /** An output stands when it leads the next best by `lead` copies; after `mostResults` without that nobody was right. */
  readonly dispute: { readonly lead: number; readonly mostResults: number };
  /** How long who cheated is given nothing; doubles with each bad result beyond the faults allowed. */
  readonly rest: { readonly firstMs: number; readonly mostMs: number };
};

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export const DEFAULT_POLICY: VerificationPolicy = {
  trustedAfter: 10,
  leastReplicated: 0.02,
  canaries: 0.01,
  stakeFactor: 2,
  maturity: { jobs: 300, leastMs: DAY_MS, mostMs: 14 * DAY_MS, bond: 1 },
  faults: { free: 1, perChecked: 1000, memoryMs: 90 * DAY_MS },
  recheckAtOnce: 10,
  dispute: { lead: 2, mostResults: 15 },
  rest: { firstMs: HOUR_MS, mostMs: 7 * DAY_MS },
};

/** The least chance that one fake of a trusted device is looked at. */
export const checkedShare = ({ leastReplicated, canaries }: VerificationPolicy): number =>
  1 - (1 - leastReplicated) * (1 - canaries);

/**
 * What one fake job is worth on average to a device that fakes this share of its jobs, in prices of a job; below zero
 * cheating costs. A fake that nobody looks at brings its whole price, for it took no time. One that is looked at brings nothing; and
 * unless all else that is not yet mature proves right, all of that is lost.
 */
export function worthOfFake(policy: VerificationPolicy, rate: number): number {
  const seen = checkedShare(policy);
  const { jobs } = policy.maturity;
  return 1 - seen - seen * jobs * (1 - (1 - rate) ** jobs);
}

/** The smallest share of fakes from which on cheating costs, to a millionth; 1 when there is none. */
export function breakEvenRate(policy: VerificationPolicy): number {
  if (worthOfFake(policy, 1) >= 0) return 1;
  let [low, high] = [0, 1];
  while (high - low > 1e-6) {
    const middle = (low + high) / 2;
    if (worthOfFake(policy, middle) < 0) high = middle;
    else low = middle;
  }
  return high;
}

/** At this share of fakes cheating must cost, or a policy is refused. */
const MOST_BREAK_EVEN = 0.01;

const isShare = (value: number) => value >= 0 && value <= 1;
const isCount = (value: number) => Number.isSafeInteger(value) && value >= 1;

/** The policy as it is, or BAD_INPUT with what is wrong with it. */
export function requirePolicy(policy: VerificationPolicy): VerificationPolicy {
  const { trustedAfter, maturity, faults, dispute, rest } = policy;
  if (!(isShare(policy.leastReplicated) && isShare(policy.canaries))) {
    fail('BAD_INPUT', 'leastReplicated and canaries are shares from 0 to 1');
  }
  if (![trustedAfter, maturity.jobs, faults.perChecked, policy.recheckAtOnce, dispute.lead].every(isCount)) {
    fail(
      'BAD_INPUT',
      'trustedAfter, maturity.jobs, faults.perChecked, recheckAtOnce and dispute.lead are whole and at least 1',
    );
  }
  if (!(Number.isSafeInteger(faults.free) && faults.free >= 0)) fail('BAD_INPUT', 'faults.free is a whole number');
  if (!(Number.isSafeInteger(maturity.bond) && maturity.bond >= 0))
    fail('BAD_INPUT', 'maturity.bond is a whole number');
  if (!(maturity.leastMs >= 0 && maturity.mostMs >= maturity.leastMs)) {
    fail('BAD_INPUT', 'maturity.leastMs is at most maturity.mostMs');
  }
  if (!(rest.firstMs >= 0 && rest.mostMs >= rest.firstMs && faults.memoryMs > 0)) {
    fail('BAD_INPUT', 'rest.firstMs is at most rest.mostMs, and faults.memoryMs is more than 0');
  }
  if (!(isCount(dispute.mostResults) && dispute.mostResults > dispute.lead)) {
    fail('BAD_INPUT', 'dispute.mostResults is more than dispute.lead');
  }
  if (!(policy.stakeFactor >= 1))
    fail('BAD_INPUT', 'stakeFactor is at least 1, or a fake pays while little is at stake');
  const rate = breakEvenRate(policy);
  if (rate > MOST_BREAK_EVEN) {
    fail(
      'BAD_INPUT',
      'with these numbers cheating pays: raise maturity.jobs, leastReplicated or canaries until it costs from 1 % of the jobs on',
      { breakEvenPercent: Math.round(rate * 1e6) / 1e4 },
    );
  }
  return policy;
}
