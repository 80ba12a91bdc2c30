import { asFailure } from '../core/errors.ts';
import type { CoordinatorState } from '../core/signals.ts';
import type { CoordinatorMessage, DeviceMessage, NetworkInfo } from '../core/wire.ts';
import type { Books } from './books.ts';
import type { CoordinatorLink, DeviceKey, Ports } from './ports.ts';

const BACKOFF_MS = { first: 1_000, last: 60_000 } as const;
/** A refusal needs someone to change something: asked again slowly. */
const REFUSED_AGAIN_MS = 10_000;
const WORTH_TELLING_MS = 60_000;
const ENROLLMENT_MS = 365 * 86_400_000;

/**
 * The device's standing with one network, from its address to a live link:
 *
 *   asking who it is ──► opening its ledger ──► enrolling ──► linked (the link reconnects by itself)
 *          ▲                                        │           │
 *          └──────────── back-off ◄─────────────────┴───────────┘ refused
 */
export type Session = {
  readonly use: (url: string) => void;
  readonly url: () => string;
  readonly network: () => NetworkInfo | null;
  /** The network's clock minus this device's, ms: deadlines are of the former. 0 until it has been asked. */
  readonly skew: () => number;
  /** The same; null until it has been asked. */
  readonly heardSkew: () => number | null;
  /** The clocks seem to differ by something else by now: asks again. */
  readonly doubtSkew: () => void;
  readonly key: () => DeviceKey | null;
  readonly link: () => CoordinatorLink | null;
  readonly state: () => CoordinatorState;
  /** Why the vault did not sign; null while it does. */
  readonly vaultFault: () => string | null;
  readonly send: (message: DeviceMessage) => boolean;
  readonly close: () => Promise<void>;
};

type SessionOptions = {
  readonly ports: Pick<Ports, 'clock' | 'log' | 'vault' | 'directory' | 'networks'>;
  readonly books: Books;
  readonly hello: () => ReturnType<Parameters<Ports['directory']['connect']>[0]['hello']>;
  readonly onMessage: (message: CoordinatorMessage) => void;
  /** The network behind the session is about to change: whatever belongs to the old one must end. */
  readonly onLeave: () => void;
  readonly changed: () => void;
};

export function createSession({ ports, books, hello, onMessage, onLeave, changed }: SessionOptions): Session {
  const { clock, log, vault, directory } = ports;
  let url = '';
  let network: NetworkInfo | null = null;
  let skew: number | null = null;
  let key: DeviceKey | null = null;
  let link: CoordinatorLink | null = null;
  let standing: CoordinatorState = { kind: 'connecting' };
  let vaultFault: string | null = null;
  let wait: number = BACKOFF_MS.first;
  let cancelRetry = (): void => undefined;
  /** Grows when the address changes or the session ends: what was awaited for an older one is dropped. */
  let generation = 0;

  function retry(state: CoordinatorState, ms: number): void {
    standing = state;
    const mine = generation;
    cancelRetry();
    cancelRetry = clock.after(ms, () => {
      if (mine === generation) void establish();
    });
    changed();
  }

  function compareClocks(met: NetworkInfo): void {
    skew = met.now - clock.now();
    if (Math.abs(skew) >= WORTH_TELLING_MS) log('warn', 'clocks-differ', { networkAheadMs: skew });
  }

  function adopt(next: NetworkInfo): boolean {
    if (network?.networkId !== next.networkId || books.ledger() === null) {
      if (network !== null && network.networkId !== next.networkId) onLeave();
      books.close();
      network = next;
      key = vault.deviceKey(next);
      return books.open(next.networkId);
    }
    network = next;
    return true;
  }

  async function establish(): Promise<void> {
    const mine = generation;
    const stale = () => mine !== generation;
    try {
      const met = await directory.network(url);
      if (stale()) return;
      compareClocks(met);
      await ports.networks.save(url, met).catch((error: unknown) => log('warn', 'network-not-remembered', { error }));
      if (stale() || !adopt(met)) return stale() ? undefined : retry(awayWith('the ledger cannot be opened'), 2_000);
      const now = Math.min(clock.now(), met.now);
      const value = { owner: vault.owner, device: vault.device, issuedAt: now, expiresAt: now + ENROLLMENT_MS };
      const signature = await vault.sign(met, 'Enrollment', value);
      vaultFault = null;
      await directory.enrol(url, value, signature);
      if (stale()) return;
      connect(met);
    } catch (error) {
      if (stale()) return;
      const failure = asFailure(error);
      log('warn', 'session-failed', { code: failure.code, detail: failure.message });
      if (failure.code === 'VAULT_UNREADABLE') vaultFault = failure.message;
      if (network === null) await remember(mine);
      if (stale()) return;
      if (['REFUSED', 'UNAUTHORISED', 'BAD_INPUT', 'CONFLICT'].includes(failure.code)) {
        return retry({ kind: 'refused', detail: failure.message }, REFUSED_AGAIN_MS);
      }
      retry(awayWith(failure.message), wait);
      wait = Math.min(wait * 2, BACKOFF_MS.last);
    }
  }

  /** The books of a network that is away are still worth showing, and its leases still run. */
  async function remember(mine: number): Promise<void> {
    const known = await ports.networks.load(url).catch(() => null);
    if (known !== null && mine === generation) adopt(known);
  }

  const awayWith = (detail: string): CoordinatorState => ({
    kind: 'away',
    since: standing.kind === 'away' ? standing.since : clock.now(),
    detail,
  });

  function connect(met: NetworkInfo): void {
    if (key === null) return;
    wait = BACKOFF_MS.first;
    const mine = generation;
    const opened = directory.connect({ url, network: met, owner: vault.owner, key, hello });
    link = opened;
    opened.onMessage((message) => {
      if (mine === generation) onMessage(message);
    });
    let joined = false;
    opened.onState((state) => {
      if (mine !== generation || link !== opened) return;
      // A network that was away may have come back with its chain at another address.
      if (state.kind === 'connected' && joined) void learnAgain(mine);
      joined ||= state.kind === 'connected';
      // Another network may live behind the address now, or the enrolment is gone: begin again from the first question.
      if (state.kind === 'refused') {
        link = null;
        void opened.close();
        retry(state, REFUSED_AGAIN_MS);
      }
      changed();
    });
    opened.start();
    changed();
  }

  async function learnAgain(mine: number): Promise<void> {
    const met = await directory.network(url).catch(() => null);
    if (met === null || mine !== generation || met.networkId !== network?.networkId) return;
    network = met;
    compareClocks(met);
    await ports.networks.save(url, met).catch((error: unknown) => log('warn', 'network-not-remembered', { error }));
    changed();
  }

  async function leave(): Promise<void> {
    generation++;
    cancelRetry();
    const old = link;
    link = null;
    standing = { kind: 'connecting' };
    await old?.close();
  }

  return {
    use(next) {
      if (next === url) return;
      if (url !== '') onLeave();
      void leave();
      url = next;
      network = null;
      skew = null;
      key = null;
      wait = BACKOFF_MS.first;
      books.close();
      void establish();
    },
    url: () => url,
    network: () => network,
    skew: () => skew ?? 0,
    heardSkew: () => skew,
    doubtSkew: () => void learnAgain(generation),
    key: () => key,
    link: () => link,
    state: () => link?.state() ?? standing,
    vaultFault: () => vaultFault,
    send: (message) => link?.send(message) ?? false,
    close: leave,
  };
}
