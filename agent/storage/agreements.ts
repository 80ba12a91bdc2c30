import { asFailure, fail } from '../../core/errors.ts';
import { type Address, type Hex32, sameAddress } from '../../core/primitives.ts';
import { bytesOfShards, type KeptShard, shardsHash } from '../../core/storage-terms.ts';
import type { CoordinatorMessage, NetworkInfo } from '../../core/wire.ts';
import type { Acknowledgement, AgreementTerms } from '../../core/wire-storage.ts';
import type { Clock, DeviceKey, Log } from '../ports.ts';
import type { ShardRef, VaultDoor } from '../vault-door.ts';
import type { AgreementRecord, AgreementShelf } from './shelf.ts';

type Level = Extract<CoordinatorMessage, { type: 'agreements' }>;
type Ended = Extract<CoordinatorMessage, { type: 'agreement-ended' }>;

type AgreementsOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly shelf: AgreementShelf;
  /** null: the vault does not answer now. */
  readonly door: () => VaultDoor | null;
  readonly network: () => NetworkInfo | null;
  readonly key: () => DeviceKey | null;
  /** The network's clock minus this device's, ms. */
  readonly skew: () => number;
  /** Something came or went: what is used is to be looked at anew. */
  readonly changed: () => void;
};

/** Whom a consumer's words are taken from, and for which of its agreements. */
export type Asker = { readonly consumer: Address; readonly agreementId: Hex32 };

/**
 * What this device has agreed to keep for others. The coordinator says which agreements there are; what this device has signed for, and
 * which shards that is, stands on its own disk.
 */
export type Agreements = {
  readonly listed: (message: Level) => void;
  readonly agreed: (terms: AgreementTerms) => void;
  readonly ended: (message: Ended) => void;
  /** Takes a shard in. Throws NOT_FOUND, UNAUTHORISED, CONFLICT (sealed already), REFUSED, DISK_FULL and BAD_INPUT. */
  readonly put: (asker: Asker, shard: KeptShard, body: AsyncIterable<Uint8Array>, signal: AbortSignal) => Promise<void>;
  readonly get: (asker: Asker, hash: Hex32, signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>;
  /** Signs for shards that are all here. The same again answers the same; throws CONFLICT for others, and BAD_INPUT for what is missing. */
  readonly seal: (asker: Asker, shards: readonly KeptShard[]) => Promise<Acknowledgement>;
  /** Shards that an audit is about; null: this device has signed for none. */
  readonly keptUnder: (agreementId: Hex32) => Promise<readonly KeptShard[] | null>;
  /** Of the network that it is in. */
  readonly count: () => number;
  /** Removes from the vault what no agreement names any more. */
  readonly sweep: () => Promise<void>;
  /** Waits for what is being written. */
  readonly settled: () => Promise<void>;
};

export function createAgreements(options: AgreementsOptions): Agreements {
  const { clock, log, shelf, changed } = options;
  const records = new Map<Hex32, AgreementRecord>();
  /** What came before it was sealed, by hash. */
  const coming = new Map<Hex32, Map<Hex32, KeptShard>>();
  let repairers: readonly Address[] = [];
  /** Named by the pages of a list that is not complete yet. */
  let naming = new Set<Hex32>();
  /** The coordinator has said all that there is, since this process began. */
  let complete = false;
  /** Shards that were signed for, and of which nothing is known here any more. */
  let forgotten = false;
  let loading: Promise<void> | null = null;
  let work: Promise<void> = Promise.resolve();

  function load(): Promise<void> {
    loading ??= shelf.load().then(async (all) => {
      for (const record of all) {
        const id = record.terms.agreementId;
        records.set(id, record);
        if (record.kept === null) coming.set(id, new Map((await shelf.noted(id)).map((one) => [one.hash, one])));
      }
    });
    return loading;
  }

  /** One after the other, in the order in which it was said. */
  function then(step: () => Promise<void>): void {
    work = work
      .then(load)
      .then(step)
      .catch((error: unknown) => log('error', 'agreement-not-kept', { detail: asFailure(error).message }));
  }

  async function keep(terms: AgreementTerms): Promise<void> {
    const networkId = options.network()?.networkId;
    if (networkId === undefined) return;
    const was = records.get(terms.agreementId);
    if (terms.sealed && was?.kept == null) {
      forgotten = true;
      log('error', 'agreement-forgotten', { agreementId: terms.agreementId });
    }
    const next: AgreementRecord = { version: 1, networkId, terms, kept: was?.kept ?? null };
    records.set(terms.agreementId, next);
    if (was === undefined || was.terms.endsAt !== terms.endsAt || was.terms.bytes !== terms.bytes)
      await shelf.save(next);
    if (next.kept === null && !coming.has(terms.agreementId)) coming.set(terms.agreementId, new Map());
  }

  async function drop(id: Hex32): Promise<void> {
    if (!records.has(id)) return;
    await shelf.drop(id);
    records.delete(id);
    coming.delete(id);
  }

  const shardsOf = (id: Hex32): Iterable<KeptShard> => records.get(id)?.kept?.shards ?? coming.get(id)?.values() ?? [];

  async function sweep(): Promise<void> {
    const door = options.door();
    // Until all is known, what nobody names may still be somebody's.
    if (door === null || !complete || forgotten) return;
    const listed = await door.list();
    const named = new Set<Hex32>();
    for (const id of records.keys()) for (const { hash } of shardsOf(id)) named.add(hash);
    // What came after the list was made is not on it.
    for (const { hash } of listed) if (!named.has(hash)) await door.remove(hash);
    changed();
  }

  const later = (): void =>
    then(() => sweep().catch((error: unknown) => log('warn', 'vault-not-swept', { detail: asFailure(error).message })));

  async function found({ consumer, agreementId }: Asker): Promise<AgreementRecord> {
    await settled();
    const record = records.get(agreementId);
    const here = record !== undefined && record.networkId === options.network()?.networkId;
    if (!here) return fail('NOT_FOUND', 'this device knows of no such agreement (yet)', { agreementId });
    if (!sameAddress(record.terms.consumer, consumer) && !repairers.some((one) => sameAddress(one, consumer))) {
      fail('UNAUTHORISED', 'this agreement is somebody else’s', { agreementId });
    }
    return record;
  }

  const settled = async (): Promise<void> => {
    then(async () => undefined);
    await work;
  };
  const door = (): VaultDoor => options.door() ?? fail('REFUSED', 'this device keeps nothing now; try again later');

  return {
    listed({ agreements, last, repairers: trusted }) {
      then(async () => {
        repairers = trusted;
        for (const terms of agreements) {
          naming.add(terms.agreementId);
          await keep(terms);
        }
        if (!last) return;
        const networkId = options.network()?.networkId;
        const gone = [...records.values()].filter(
          (one) => one.networkId === networkId && !naming.has(one.terms.agreementId),
        );
        for (const { terms } of gone) await drop(terms.agreementId);
        naming = new Set();
        complete = true;
      });
      if (last) later();
    },
    agreed(terms) {
      naming.add(terms.agreementId);
      then(() => keep(terms));
    },
    ended({ agreementId, why }) {
      log('info', 'agreement-ended', { agreementId, why });
      then(() => drop(agreementId));
      later();
    },
    async put(asker, shard, body, signal) {
      const { terms, kept } = await found(asker);
      const here = coming.get(asker.agreementId);
      if (kept !== null || here === undefined) {
        return fail('CONFLICT', 'this agreement is sealed; nothing more comes to it', {
          agreementId: terms.agreementId,
        });
      }
      const others = bytesOfShards([...here.values()].filter(({ hash }) => hash !== shard.hash));
      if (others + shard.bytes > terms.bytes) {
        fail('REFUSED', `the agreement is about ${terms.bytes} bytes, and this would be more`, { bytes: terms.bytes });
      }
      const vault = door();
      if (!here.has(shard.hash)) {
        here.set(shard.hash, shard);
        await shelf.note(asker.agreementId, shard);
      }
      await vault.put(shard, body, signal);
      changed();
    },
    async get(asker, hash, signal) {
      await found(asker);
      const shard = [...shardsOf(asker.agreementId)].find((one) => one.hash === hash);
      return await door().get(shard ?? fail('NOT_FOUND', 'there is no such shard under this agreement'), signal);
    },
    async seal(asker, shards) {
      const { terms, kept, networkId } = await found(asker);
      const hash = shardsHash(shards);
      if (kept !== null) {
        if (kept.acknowledgement.value.shardsHash === hash) return kept.acknowledgement;
        return fail('CONFLICT', 'other shards were signed for under this agreement');
      }
      const bytes = bytesOfShards(shards);
      if (bytes > terms.bytes) fail('REFUSED', `the agreement is about ${terms.bytes} bytes, and these are ${bytes}`);
      requireAll(shards, await door().list());
      const key = options.key() ?? fail('REFUSED', 'this device has left the network');
      const issuedAt = clock.now() + options.skew();
      const value = { agreementId: terms.agreementId, device: key.address, shardsHash: hash, bytes, issuedAt };
      const acknowledgement = { value, signature: await key.sign('Kept', value) };
      // On disk before it is said: whoever is asked to prove something must know what it was.
      const next: AgreementRecord = { version: 1, networkId, terms, kept: { shards: [...shards], acknowledgement } };
      await shelf.save(next);
      records.set(terms.agreementId, next);
      coming.delete(terms.agreementId);
      return acknowledgement;
    },
    async keptUnder(id) {
      await settled();
      return records.get(id)?.kept?.shards ?? null;
    },
    count() {
      const networkId = options.network()?.networkId;
      return [...records.values()].filter((one) => one.networkId === networkId).length;
    },
    sweep: async () => {
      later();
      await settled();
    },
    settled,
  };
}

function requireAll(shards: readonly KeptShard[], here: readonly ShardRef[]): void {
  const sizes = new Map(here.map(({ hash, bytes }) => [hash, bytes]));
  const missing = shards.find(({ hash, bytes }) => sizes.get(hash) !== bytes);
  if (missing !== undefined)
    fail('BAD_INPUT', `shard ${missing.hash} is not here; send it again`, { hash: missing.hash });
}
