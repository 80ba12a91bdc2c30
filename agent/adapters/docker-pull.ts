import { Failure } from '../../core/errors.ts';
import type { PullProgress } from '../image-ports.ts';

/** One line of the engine's progress (Engine API, "Create an image"), the part that is read. */
type Line = {
  readonly id?: unknown;
  readonly status?: unknown;
  readonly error?: unknown;
  readonly errorDetail?: { readonly message?: unknown } | null;
  readonly progressDetail?: { readonly current?: unknown; readonly total?: unknown } | null;
};

const lineOf = (value: unknown): Line | null => (typeof value === 'object' && value !== null ? value : null);

/** What a line says went wrong; null: nothing. */
export function errorIn(value: unknown): string | null {
  const line = lineOf(value);
  if (line === null || (line.error === undefined && !line.errorDetail)) return null;
  const said = line.errorDetail?.message ?? line.error;
  return typeof said === 'string' && said !== '' ? said : 'the engine does not say why';
}

type Layer = { total: number; downloaded: number; unpacked: number };

const count = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;

/** Adds the lines up, layer by layer; never goes back. */
export function pullMeter(): {
  /** True: the line told of progress. */
  readonly heard: (value: unknown) => boolean;
  readonly progress: () => PullProgress;
  /** Everything has come. containerd's image store tells the size of no layer that came quickly: then it is what the catalogue says. */
  readonly ended: (listedBytes: number) => PullProgress;
} {
  const layers = new Map<string, Layer>();
  let shared = false;
  const sum = (pick: (layer: Layer) => number): number =>
    [...layers.values()].reduce((total, layer) => total + pick(layer), 0);
  return {
    heard(value) {
      const line = lineOf(value);
      if (line === null || typeof line.id !== 'string' || typeof line.status !== 'string') return false;
      shared ||= line.status === 'Already exists';
      const was = layers.get(line.id) ?? { total: 0, downloaded: 0, unpacked: 0 };
      const total = Math.max(was.total, count(line.progressDetail?.total) ?? 0);
      const current = count(line.progressDetail?.current) ?? 0;
      const at = (kind: 'downloaded' | 'unpacked', bytes: number): Layer => ({
        ...was,
        total,
        [kind]: Math.max(was[kind], bytes),
      });
      const now = ((): Layer | null => {
        switch (line.status) {
          case 'Downloading':
            return at('downloaded', current);
          case 'Verifying Checksum':
          case 'Download complete':
            return at('downloaded', total);
          case 'Extracting':
            return { ...at('unpacked', current), downloaded: total };
          case 'Pull complete':
            return { ...at('unpacked', total), downloaded: total };
          default:
            return null;
        }
      })();
      if (now === null) return false;
      layers.set(line.id, now);
      return true;
    },
    ended(listedBytes) {
      const told = sum(({ downloaded }) => downloaded);
      const unsized = [...layers.values()].some(({ total }) => total === 0);
      const bytes = unsized && !shared ? Math.max(told, listedBytes) : told;
      return { downloadedBytes: bytes, unpackedBytes: bytes };
    },
    progress: () => ({
      downloadedBytes: sum(({ downloaded }) => downloaded),
      unpackedBytes: sum(({ unpacked }) => unpacked),
    }),
  };
}

/**
 * What the engine and the registry say, by what can be done about it. The words are those of Docker's engine and of the
 * distribution protocol's error codes; what matches none is taken to be the network's fault, and tried again.
 */
const KINDS: readonly (readonly [RegExp, Failure['code'], string])[] = [
  [
    /verification failed|digest did not match|digest mismatch|unexpected commit digest|does not match (its )?digest|digest (is )?invalid|invalid checksum|failed (precondition|commit)/i,
    'REFUSED',
    'what the registry sent is not what the catalogue names',
  ],
  [/no space left|disk quota exceeded/i, 'DISK_FULL', 'the disk of the engine is full'],
  [
    /unauthori[sz]ed|authentication required|no basic auth|access .*denied|denied:|forbidden|incorrect username/i,
    'UNAUTHORISED',
    'the registry wants credentials; log in with docker login',
  ],
  [
    /manifest unknown|manifest .*not found|name unknown|repository .*not found|not found: manifest/i,
    'NOT_FOUND',
    'the registry has no such image',
  ],
];

export function pullFailure(said: string): Failure {
  const detail = said.slice(0, 300);
  const [, code, meaning] = KINDS.find(([pattern]) => pattern.test(said)) ?? [null, 'REGISTRY_AWAY', ''];
  return new Failure(code as Failure['code'], meaning === '' ? detail : `${meaning}: ${detail}`);
}
