import { plainText } from './plain-text.ts';
import { LABEL } from './sandbox.ts';

/** What an image says of itself that no launch can take back. */
export type ImageFault =
  /** The engine would make a writable folder on the machine's disk for each, without a limit. */
  | { readonly kind: 'volumes'; readonly names: readonly string[] }
  /** Folders below /proc reach files of the machine that the runtime has open (CVE-2024-21626). */
  | { readonly kind: 'working-dir'; readonly path: string }
  /** What loaders read, on the machine too where a hook runs with the image's environment (CVE-2025-23266). */
  | { readonly kind: 'environment'; readonly names: readonly string[] }
  /** It would pass for something that we launched. */
  | { readonly kind: 'labels'; readonly names: readonly string[] };

/** The configuration of an image as the Engine API's inspect answers it, the part that matters here. */
export type ImageConfig = {
  readonly Volumes?: Readonly<Record<string, unknown>> | null;
  readonly WorkingDir?: string | null;
  readonly Env?: readonly string[] | null;
  readonly Labels?: Readonly<Record<string, string>> | null;
};

const LOADERS = /^(LD_|DYLD_|GCONV_PATH$|GLIBC_TUNABLES$)/;
const OURS: ReadonlySet<string> = new Set(Object.values(LABEL));

/** Why an image may not run, however it is launched; empty: it may. */
export function imageFaults(config: ImageConfig): readonly ImageFault[] {
  const faults: ImageFault[] = [];
  const volumes = Object.keys(config.Volumes ?? {});
  if (volumes.length > 0) faults.push({ kind: 'volumes', names: volumes });
  const path = config.WorkingDir ?? '';
  if (/^\/+(proc|sys|dev)(\/|$)/.test(path) || path.split('/').includes('..')) {
    faults.push({ kind: 'working-dir', path });
  }
  const names = (config.Env ?? []).map((line) => line.split('=', 1)[0] ?? '').filter((name) => LOADERS.test(name));
  if (names.length > 0) faults.push({ kind: 'environment', names });
  const labels = Object.keys(config.Labels ?? {}).filter((name) => OURS.has(name));
  if (labels.length > 0) faults.push({ kind: 'labels', names: labels });
  return faults;
}

/** For logs and for the coordinator; a name of the image's choice is cut. */
export function faultText(fault: ImageFault): string {
  const some = (names: readonly string[]): string => plainText(names.slice(0, 3).join(', ').slice(0, 120));
  switch (fault.kind) {
    case 'volumes':
      return `the image wants volumes of its own (${some(fault.names)})`;
    case 'working-dir':
      return `the image wants to work in ${some([fault.path])}`;
    case 'environment':
      return `the image sets what loaders read (${some(fault.names)})`;
    case 'labels':
      return `the image bears labels of ours (${some(fault.names)})`;
  }
}
