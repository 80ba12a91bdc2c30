import type { Address, Hex32 } from '../../core/primitives.ts';
import type { FileShape } from '../../core/stored-file.ts';

/** The i-th shard of every group of a file, on one device, under one agreement. */
export type Place = { readonly index: number; readonly agreementId: Hex32; readonly device: Address };
/** `hash` is the SHA-256 of its bytes. */
export type Shard = { readonly hash: Hex32; readonly bytes: number };
/** `commitment` is the SHA-256 of the right answer to an audit with `seed` (core/audit.ts). */
export type Token = { readonly seed: Hex32; readonly commitment: Hex32 };

export type Offer = FileShape & { readonly fileId: Hex32; readonly placeBytes: number };
export type Availability = { readonly healthy: number; readonly of: number };

export type KeptFile = {
  readonly fileId: Hex32;
  /** Encrypted: nobody but the owner can read it. */
  readonly manifest: Uint8Array;
  /** What all places hold together. */
  readonly bytes: number;
  readonly availability: Availability;
};

/** What is known of a place without the owner. `shards` is null until it is sealed. */
export type Holding = Place & { readonly shards: readonly Shard[] | null; readonly healthy: boolean };
/** `manifest` is null until one is kept. */
export type FoundFile = {
  readonly fileId: Hex32;
  readonly shape: FileShape;
  readonly manifest: Uint8Array | null;
  readonly holdings: readonly Holding[];
};

/**
 * The network as the owner of a file needs it. Every method may be called again with the same arguments, and then changes
 * nothing: whoever was interrupted does just that. What fails for a moment is tried again behind this port; a `put` or `get`
 * that rejects says that the place cannot do it now.
 */
export type Places = {
  /** `n` places on different devices, by index. The same file is offered the same places again. */
  readonly offer: (file: Offer) => Promise<readonly Place[]>;
  /** Resolves when the shard is durable. */
  readonly put: (place: Place, hash: Hex32, bytes: Uint8Array, signal?: AbortSignal) => Promise<void>;
  /** What comes is not checked yet. */
  readonly get: (place: Place, hash: Hex32, signal?: AbortSignal) => Promise<Uint8Array>;
  /** All shards are there, in this order: from now on it is audited and paid. */
  readonly seal: (
    place: Place,
    what: { readonly shards: readonly Shard[]; readonly tokens: readonly Token[] },
  ) => Promise<void>;
  readonly keep: (fileId: Hex32, manifest: Uint8Array) => Promise<void>;
  readonly list: () => Promise<readonly KeptFile[]>;
  readonly find: (fileId: Hex32) => Promise<FoundFile | null>;
  /** Ends every agreement of the file; the devices then drop their shards by themselves. */
  readonly drop: (fileId: Hex32) => Promise<void>;
  /** Another place with the same index, on a device that has none of this file. */
  readonly replace: (fileId: Hex32, lost: Place) => Promise<Place>;
};
