import type { Minimum } from './catalogue.ts';

/** What an engine says of itself, in our words. */
export type EngineFacts = {
  readonly product: 'docker' | 'podman';
  readonly version: string;
  /** As containers see it, such as "linux/amd64". */
  readonly platform: string;
  /** Versions by component; those that its API does not tell are not there. Each with every name that it goes by. */
  readonly components: Readonly<Record<string, readonly string[]>>;
  readonly runtimes: readonly string[];
  readonly rootless: boolean;
  readonly containers: 'linux' | 'windows';
  readonly limits: {
    readonly memory: boolean;
    readonly cpu: boolean;
    readonly pids: boolean;
    readonly groups: boolean;
  };
  readonly seccomp: boolean;
  /** Vendors' device kinds that it hands out by the Container Device Interface, and whether it knows that at all. */
  readonly cdi: boolean;
};

/** Why an engine may not run strangers' work. */
export type Unfitness =
  /** Not on this machine: what idles there is not the owner's to share. */
  | { readonly kind: 'remote'; readonly url: string }
  | { readonly kind: 'windows-containers' }
  /** Without control groups (rootless on version 1 of them) it ignores every limit in silence. */
  | { readonly kind: 'no-limits' }
  | { readonly kind: 'no-limit'; readonly of: 'memory' | 'cpu' | 'pids' }
  | { readonly kind: 'no-seccomp' }
  | {
      readonly kind: 'too-old';
      readonly component: string;
      readonly version: string;
      readonly minimum: string;
      readonly because: string;
    }
  /** The owner wants gVisor or nothing. */
  | { readonly kind: 'no-gvisor'; readonly broken: boolean };

/** The numbers that a version begins with: "20.10.24+dfsg1" is 20.10.24, "v1.2.0-rc.1" is 1.2.0 and early. */
function numbersOf(version: string): { readonly numbers: readonly number[]; readonly early: boolean } | null {
  const found = /^v?(\d{1,9}(?:\.\d{1,9}){0,3})(.*)$/.exec(version.trim());
  if (found?.[1] === undefined) return null;
  return { numbers: found[1].split('.').map(Number), early: /^[-~.]?(rc|alpha|beta|dev)/i.test(found[2] ?? '') };
}

/** False also for what is no version: in doubt it is too old. A candidate of a version comes before it. */
export function atLeast(version: string, minimum: string): boolean {
  const [one, other] = [numbersOf(version), numbersOf(minimum)];
  if (one === null || other === null) return false;
  for (let at = 0; at < Math.max(one.numbers.length, other.numbers.length); at++) {
    const difference = (one.numbers[at] ?? 0) - (other.numbers[at] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return !one.early || other.early;
}

/** Dates and the like stand in for the numbers of what is no release. */
const fits = (names: readonly string[], { minimum, accepted }: Minimum): boolean =>
  names.some((name) => accepted.includes(name) || atLeast(name, minimum));

/** Why this engine may not run strangers' work, the gravest first; null: it may. A component that it says nothing of passes. */
export function unfitness(facts: EngineFacts, minimums: readonly Minimum[]): Unfitness | null {
  if (facts.containers !== 'linux') return { kind: 'windows-containers' };
  const { limits } = facts;
  if (!limits.groups) return { kind: 'no-limits' };
  // Swap is not asked for: Debian's and Ubuntu's kernels on version 1 of control groups count none unless they are started
  // with swapaccount=1, and the memory limit holds there all the same; what a job gains is swap space, not memory.
  for (const limit of ['memory', 'cpu', 'pids'] as const) if (!limits[limit]) return { kind: 'no-limit', of: limit };
  if (!facts.seccomp) return { kind: 'no-seccomp' };
  for (const row of minimums) {
    const names = facts.components[row.component];
    if (names === undefined || fits(names, row)) continue;
    const { component, minimum, because } = row;
    return { kind: 'too-old', component, version: names[0] ?? '', minimum, because };
  }
  return null;
}

/** What the owner wants of gVisor, which runs each container on a kernel of its own. */
export const GVISOR_CHOICES = ['prefer', 'require', 'never'] as const;
export type GvisorChoice = (typeof GVISOR_CHOICES)[number];

/** `works`: whether a container has run under it; null: not tried. */
export type Gvisor = { readonly offered: boolean; readonly works: boolean | null };

/** The runtime for work, or why there is none that the owner would have. */
export function runtimeFor(choice: GvisorChoice, { offered, works }: Gvisor): 'engine' | 'runsc' | Unfitness {
  if (choice !== 'never' && offered && works === true) return 'runsc';
  // Not tried yet, for want of an image to try it with: whoever wants it or nothing gets it, whatever comes of that.
  if (choice === 'require' && offered && works === null) return 'runsc';
  return choice === 'require' ? { kind: 'no-gvisor', broken: offered && works === false } : 'engine';
}
