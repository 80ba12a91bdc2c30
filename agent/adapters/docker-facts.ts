import type { EngineFacts } from '../../core/engine-gates.ts';
import type { EngineGpuInfo } from '../../core/gpu-grants.ts';

/** The part of the Engine API's /info that matters here. */
export type EngineInfo = EngineGpuInfo & {
  readonly OSType?: string;
  readonly MemoryLimit?: boolean;
  readonly PidsLimit?: boolean;
  readonly CpuCfsQuota?: boolean;
  readonly CgroupDriver?: string;
  readonly SecurityOptions?: readonly string[] | null;
  readonly ServerVersion?: string;
};
/** And of /version. */
export type EngineVersion = {
  readonly Version?: string;
  readonly Os?: string;
  readonly Arch?: string;
  readonly Components?:
    | readonly {
        readonly Name: string;
        readonly Version: string;
        readonly Details?: Readonly<Record<string, string>> | null;
      }[]
    | null;
};

/** Names of components as the engines write them. */
const KNOWN: Readonly<Record<string, string>> = {
  Engine: 'docker',
  'Podman Engine': 'podman',
  runc: 'runc',
  crun: 'crun',
  containerd: 'containerd',
  'OCI Runtime (crun)': 'crun',
  'OCI Runtime (runc)': 'runc',
};

/** "crun version 1.14.1\ncommit: …" as Podman has it, "1.1.5+ds1" as Docker has it. */
const versionIn = (text: string): string => /version (\S+)/.exec(text)?.[1] ?? text.split('\n', 1)[0] ?? text;

export function factsOf(info: EngineInfo, version: EngineVersion): EngineFacts {
  const components: Record<string, readonly string[]> = {};
  for (const { Name, Version, Details } of version.Components ?? []) {
    const component = KNOWN[Name];
    if (component === undefined) continue;
    // Distributions write the number that tells of their own mending only here.
    const commit = Details?.['GitCommit'] ?? '';
    components[component] = [versionIn(Version), ...(commit === '' ? [] : [commit])];
  }
  const product = 'podman' in components ? 'podman' : 'docker';
  const options = info.SecurityOptions ?? [];
  return {
    product,
    version: version.Version ?? info.ServerVersion ?? '',
    platform: `${version.Os ?? info.OSType ?? ''}/${version.Arch ?? ''}`,
    components: { [product]: [version.Version ?? info.ServerVersion ?? ''], ...components },
    runtimes: Object.keys(info.Runtimes ?? {}),
    rootless: options.some((option) => option.includes('rootless')),
    containers: info.OSType === 'linux' ? 'linux' : 'windows',
    limits: {
      groups: info.CgroupDriver !== 'none',
      memory: info.MemoryLimit === true,
      cpu: info.CpuCfsQuota === true,
      pids: info.PidsLimit === true,
    },
    seccomp: options.some((option) => option.includes('seccomp')),
    cdi: (info.CDISpecDirs ?? []).length > 0,
  };
}
