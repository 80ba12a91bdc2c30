import { type Catalogue, EMPTY_CATALOGUE, onDevices } from '../core/catalogue.ts';
import { asFailure } from '../core/errors.ts';
import {
  type CatalogueRefusal,
  ENGINE_PLATFORMS,
  type EnginePlatform,
  EXPIRES_SOON_MS,
  type Genuine,
  type Highest,
  readRelease,
  releaseTag,
  remembers,
  replay,
  resolveRelease,
  untimely,
} from '../core/release.ts';
import type { Problem } from '../core/snapshot.ts';
import type { DeviceMessage } from '../core/wire.ts';
import { workloadsOf } from './hello.ts';
import type { KeptCatalogue, Ports } from './ports.ts';

/** While connected the network is asked this often for a newer catalogue, and after a question that failed. */
const ASK_MS = { usual: 6 * 3_600_000, afterFailure: 10 * 60_000 } as const;
/** While nothing is in force the files are looked at again: a clock is set right, a file put back. */
const LOOK_AGAIN_MS = 60_000;

/**
 * Which catalogue is in force on this device: the newest that enough release keys have signed, that is of this time, and that is
 * not older than one that was in force before. With none the agent runs and offers nothing.
 *
 *   bundled, kept, offered ─► genuine? ─► not replayed? ─► of this time? ─► kept on disk ─► in force
 */
export type CatalogueKeeper = {
  readonly current: () => Catalogue;
  readonly problems: () => readonly Problem[];
  /** Never throws. */
  readonly load: () => Promise<void>;
  /** A session has begun: asks the network for its catalogue. */
  readonly welcomed: () => void;
  /** The session is over: what its network offered is of no matter any more. */
  readonly left: () => void;
  readonly close: () => void;
};

type KeeperOptions = {
  readonly ports: Pick<Ports, 'clock' | 'log' | 'catalogue' | 'directory' | 'containers'>;
  /** Of the network. */
  readonly url: () => string;
  readonly send: (message: DeviceMessage) => boolean;
  /** Another catalogue is in force. */
  readonly swapped: () => void;
  readonly changed: () => void;
};

type Candidate = Genuine & { readonly text: string };

export function createCatalogueKeeper({ ports, url, send, swapped, changed }: KeeperOptions): CatalogueKeeper {
  const { clock, log, catalogue: shelf, directory } = ports;
  /** Genuine; in force while it is of this time. */
  let held: Candidate | null = null;
  /** Kept until the one that is held, or the engine's platform, changes. */
  let resolved: { readonly held: Candidate; readonly on: EnginePlatform | null; readonly catalogue: Catalogue } | null =
    null;
  let none: CatalogueRefusal = { kind: 'missing' };
  let highest: Highest | null = null;
  let offered: { readonly url: string; readonly why: CatalogueRefusal } | null = null;
  let cancelAsk = (): void => undefined;
  let cancelLook = (): void => undefined;
  /** Of the session: what was asked in an older one is dropped. */
  let generation = 0;
  let closed = false;
  /** One after the other: two at once could each find itself the newest. */
  let turn: Promise<void> = Promise.resolve();

  const standing = (): CatalogueRefusal | null => (held === null ? none : untimely(held.release, clock.now()));
  /** What the engine says of itself counts; before it has, what this machine is. */
  const platform = (): EnginePlatform | null => {
    const said = ports.containers.facts()?.platform;
    return ENGINE_PLATFORMS.find((one) => one === said) ?? shelf.platform;
  };
  function current(): Catalogue {
    if (held === null || standing() !== null) return EMPTY_CATALOGUE;
    const on = platform();
    if (resolved?.held !== held || resolved.on !== on) {
      resolved = { held, on, catalogue: onDevices(resolveRelease(held.release, on === null ? [] : [on])) };
    }
    return resolved.catalogue;
  }

  function judge(text: string | null): Candidate | CatalogueRefusal {
    const verdict = readRelease(text, shelf);
    if (verdict.kind === 'refused') return verdict.why;
    return replay(verdict, highest) ?? { ...verdict, text: text ?? '' };
  }

  /** On disk before it is in force: after a crash no older one may come back. Throws DISK_FULL. */
  async function remember({ release: { version }, digest, text }: Candidate): Promise<void> {
    if (highest !== null && version <= highest.version) return;
    const keys = shelf.keys.keys.map((key) => key.public);
    await shelf.keep({ version, digest, keys, envelope: text });
    highest = { version, digest };
  }

  function hold(candidate: Candidate): void {
    if (candidate.digest === held?.digest) return;
    held = candidate;
    const { version, expiresAt } = candidate.release;
    log('info', 'catalogue', { version, expiresAt, entries: current().entries.length });
    send({ type: 'workloads', workloads: workloadsOf(current()) });
    swapped();
  }

  async function keptBefore(): Promise<KeptCatalogue | null> {
    try {
      return await shelf.kept();
    } catch (error) {
      log('error', 'catalogue-memory-lost', { detail: asFailure(error).message });
      return null;
    }
  }

  async function bundled(): Promise<string | null> {
    try {
      return await shelf.bundled();
    } catch (error) {
      log('error', 'catalogue-unreadable', { detail: asFailure(error).message });
      return null;
    }
  }

  async function look(): Promise<void> {
    if (closed) return;
    const kept = await keptBefore();
    if (kept !== null && remembers(shelf.keys, kept.keys) && kept.version > (highest?.version ?? 0)) highest = kept;
    const judged = [judge(kept?.envelope ?? null), judge(await bundled())] as const;
    const genuine = judged.flatMap((one) => ('release' in one ? [one] : []));
    const best = newest(genuine, clock.now());
    if (best === null) none = worstOf(judged);
    else {
      if (untimely(best.release, clock.now()) === null) {
        await remember(best).catch((error: unknown) => {
          // It came with the app, so it is there again at the next start; the disk is complained of elsewhere.
          log('error', 'catalogue-not-kept', { detail: asFailure(error).message });
        });
      }
      hold(best);
    }
    const why = standing();
    if (why !== null) {
      log('warn', 'no-catalogue', { ...why });
      cancelLook();
      if (!closed) cancelLook = clock.after(LOOK_AGAIN_MS, () => void inTurn(look));
    }
    changed();
  }

  async function ask(): Promise<void> {
    const mine = generation;
    const at = url();
    let wait: number = ASK_MS.usual;
    try {
      const text = await directory.catalogue(at, held === null ? null : releaseTag(held.text));
      if (mine !== generation || closed) return;
      if (text === null) offered = null;
      else await consider(text, at);
    } catch (error) {
      log('warn', 'catalogue-not-asked', { detail: asFailure(error).message });
      wait = ASK_MS.afterFailure;
    }
    if (mine !== generation || closed) return;
    cancelAsk();
    cancelAsk = clock.after(wait, () => void inTurn(ask));
  }

  /** Throws DISK_FULL: then the one in force stays, and the network is asked again. */
  async function consider(text: string, at: string): Promise<void> {
    const judged = judge(text);
    const why = 'release' in judged ? untimely(judged.release, clock.now()) : judged;
    if ('release' in judged && why === null) {
      offered = null;
      await remember(judged);
      hold(judged);
    } else if (why !== null) {
      offered = { url: at, why };
      log('warn', 'catalogue-refused', { url: at, ...why });
    }
    changed();
  }

  function inTurn(run: () => Promise<void>): Promise<void> {
    turn = turn.then(run).catch((error: unknown) => {
      log('error', 'catalogue-failed', { detail: asFailure(error).message });
    });
    return turn;
  }

  return {
    current,
    load: () => inTurn(look),
    problems() {
      const why = standing();
      const at = (held?.release.expiresAt ?? 0) * 1000;
      const soon = at - clock.now() < EXPIRES_SOON_MS;
      return [
        ...(why === null ? [] : [{ kind: 'catalogue-untrusted', why } as const]),
        ...(offered === null ? [] : [{ kind: 'catalogue-refused', ...offered } as const]),
        ...(why === null && soon ? [{ kind: 'catalogue-expiring', at } as const] : []),
      ];
    },
    welcomed() {
      generation++;
      void inTurn(ask);
    },
    left() {
      generation++;
      offered = null;
      cancelAsk();
    },
    close() {
      closed = true;
      cancelAsk();
      cancelLook();
    },
  };
}

/** One that counts now before one that does not, and then the highest version. */
function newest(candidates: readonly Candidate[], now: number): Candidate | null {
  const timely = candidates.filter(({ release }) => untimely(release, now) === null);
  const [first] = [...(timely.length > 0 ? timely : candidates)].sort((a, b) => b.release.version - a.release.version);
  return first ?? null;
}

const SAYS_LITTLE: ReadonlySet<CatalogueRefusal['kind']> = new Set(['missing', 'older', 'rewritten']);

/** What to tell when neither the kept nor the bundled one will do. */
function worstOf([kept, bundled]: readonly [
  Candidate | CatalogueRefusal,
  Candidate | CatalogueRefusal,
]): CatalogueRefusal {
  const reasons = [bundled, kept].flatMap((one) => ('release' in one ? [] : [one]));
  return reasons.find(({ kind }) => !SAYS_LITTLE.has(kind)) ?? reasons[0] ?? { kind: 'missing' };
}
