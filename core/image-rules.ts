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
  | { readonly kind: 'labels'; readonly names: readonly string[] }
  /** The engine reads its lists of accounts itself, as root of the machine: a pipe there holds it up for ever, a device is opened. */
  | { readonly kind: 'accounts'; readonly path: string };

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

/** What the engine reads in an image before anything of it runs. */
export const ACCOUNT_LISTS = ['/etc/passwd', '/etc/group'] as const;
const MAX_LIST_BYTES = 1024 * 1024;
/** All that a file can be but plain: the type bits of Go's io/fs.FileMode, which is what the Engine API's archive stat tells. */
const NOT_PLAIN = 2 ** 31 + 2 ** 27 + 2 ** 26 + 2 ** 25 + 2 ** 24 + 2 ** 21 + 2 ** 19;

/** Whether the engine may read a list of accounts. Null: it may. */
export const listFault = (
  path: string,
  { mode, size }: { readonly mode: number; readonly size: number },
): ImageFault | null => ((mode & NOT_PLAIN) === 0 && size <= MAX_LIST_BYTES ? null : { kind: 'accounts', path });

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
    case 'accounts':
      return `the image has something else than a plain file at ${some([fault.path])}`;
  }
}
