import { z } from 'zod';
import { TOKENS_A_PLACE } from './audit.ts';
import { SCORE_REASONS } from './lending.ts';
import { address, amount, byteCount, hex32, signature, unixMs } from './primitives.ts';
import { fileShape, SHAPE_RULE } from './stored-file.ts';

/**
 * Stored files (docs/decisions/0034): what their owners and those who repair them say to the coordinator, and what coordinator and devices
 * say to each other of *agreements*. An agreement is one place of one file on one device, for a time and at a price:
 *
 *   open ──► sealed ──► ended         open: shards come; sealed: the device has signed for them, it is audited and paid
 *     └────────┴──────► lost          its device has failed it or is gone: another takes its place
 */

export const MOST_MONTHS = 12;
/** A manifest, encrypted. */
export const MOST_FILE_MANIFEST_BYTES = 4 * 1024 * 1024;
const MOST_PLACES = 255;
const MOST_TOKENS = TOKENS_A_PLACE * MOST_MONTHS;

/** POST /v1/files: sent again it changes nothing. */
export const fileOrder = z.strictObject({
  fileId: hex32,
  shape: fileShape,
  months: z.number().int().min(1).max(MOST_MONTHS).default(1),
});
export type FileOrder = z.output<typeof fileOrder>;

export const place = z.strictObject({
  index: z.number().int().nonnegative().max(MOST_PLACES),
  agreementId: hex32,
  device: address,
});
export type Place = z.output<typeof place>;
export const fileOffer = z.strictObject({
  fileId: hex32,
  places: z.array(place),
  /** Base units per MiB and month. */
  price: amount,
  /** Of the deposit, for the whole term. */
  held: amount,
  endsAt: unixMs,
});
export type FileOffer = z.output<typeof fileOffer>;

export const keptShard = z.strictObject({ hash: hex32, bytes: byteCount.min(1) });
const shards = z.array(keptShard).min(1).max(SHAPE_RULE.mostGroups);

/** What a device has signed: that all these shards are on its disk. */
export const kept = z.strictObject({
  agreementId: hex32,
  device: address,
  shardsHash: hex32,
  bytes: byteCount,
  issuedAt: unixMs,
});
export const acknowledgement = z.strictObject({ value: kept, signature });
export type Acknowledgement = z.output<typeof acknowledgement>;

export const auditToken = z.strictObject({ seed: hex32, commitment: hex32 });
/** Of its JSON: as many shards and tokens as there can be. */
export const MOST_SEALING_BYTES = 1.5 * 1024 * 1024;
/** POST /v1/agreements/:id/seal */
export const sealing = z.strictObject({
  shards,
  tokens: z.array(auditToken).min(1).max(MOST_TOKENS),
  acknowledgement,
});
export type Sealing = z.output<typeof sealing>;

/** `healthy`: sealed, and its device is not away for longer than it may be. */
export const holding = z.strictObject({
  ...place.shape,
  shards: shards.nullable(),
  healthy: z.boolean(),
});
export type Holding = z.output<typeof holding>;
const availability = { healthy: z.number().int(), of: z.number().int() };
export const storedFile = z.strictObject({
  fileId: hex32,
  shape: fileShape,
  /** null: none is kept yet. */
  manifestBytes: byteCount.nullable(),
  endsAt: unixMs,
  holdings: z.array(holding),
});
export type StoredFileView = z.output<typeof storedFile>;

export const listedFile = z.strictObject({
  fileId: hex32,
  /** What all places hold together. */
  bytes: byteCount,
  manifestBytes: byteCount.nullable(),
  endsAt: unixMs,
  ...availability,
});
export const filePage = z.strictObject({
  files: z.array(listedFile),
  /** Ask with this as `after`; null: these are the last. */
  next: hex32.nullable(),
});
export const filesQuery = z.strictObject({ after: hex32.optional() });

/** POST /v1/files/:id/replace: another place with the same index in place of this one. Sent again it answers the same place. */
export const replacement = z.strictObject({ lost: hex32 });

/** POST /v1/repairs: a file that lacks places, for who is trusted to repair; null: none. It is theirs until then. */
export const repairLease = z.strictObject({ file: storedFile, expiresAt: unixMs }).nullable();

/** What a device is told of one agreement. */
export const agreement = z.strictObject({
  agreementId: hex32,
  consumer: address,
  /** Of all shards: no more is taken. */
  bytes: byteCount,
  price: amount,
  endsAt: unixMs,
  sealed: z.boolean(),
});
export type AgreementTerms = z.output<typeof agreement>;
export const AGREEMENTS_A_PAGE = 500;

/** Why an agreement is over. */
export const AGREEMENT_ENDS = ['term', 'dropped', 'moved', 'lost', 'disqualified'] as const;
export type AgreementEnd = (typeof AGREEMENT_ENDS)[number];

export const storageCoordinatorMessages = [
  /** All agreements of this device, in pages; after the last, whatever was not named is over. */
  z.strictObject({
    type: z.literal('agreements'),
    agreements: z.array(agreement).max(AGREEMENTS_A_PAGE),
    last: z.boolean(),
    /** Accounts that may read any shard here, to make lost ones anew. */
    repairers: z.array(address).max(16),
  }),
  z.strictObject({ type: z.literal('agreement'), agreement }),
  z.strictObject({ type: z.literal('agreement-ended'), agreementId: hex32, why: z.enum(AGREEMENT_ENDS) }),
  z.strictObject({
    type: z.literal('audit'),
    auditId: hex32,
    agreementId: hex32,
    seed: hex32,
    answerBy: unixMs,
  }),
  /** A level, told when it has changed. */
  z.strictObject({
    type: z.literal('storage-standing'),
    score: z.number().min(0).max(1).nullable(),
    reason: z.enum(SCORE_REASONS),
    suspendedUntil: unixMs.nullable(),
    passed: z.number().int().nonnegative(),
    failed: z.number().int().nonnegative(),
    /** Credited for storage altogether, and what waits for the end of agreements. */
    credited: amount,
    heldBack: amount,
  }),
] as const;

export const storageOffer = z.strictObject({ lentBytes: byteCount, usedBytes: byteCount });
export type StorageOffer = z.output<typeof storageOffer>;

export const storageDeviceMessages = [
  /**
   * States a level: what it lends to others' shards. What is used beyond that is moved to other devices, and is kept until it is. Zero lent:
   * it leaves, and gets what was held back once all is moved. null: it cannot say now.
   */
  z.strictObject({ type: z.literal('storage-offer'), offer: storageOffer.nullable() }),
  /** 32 bytes; null: it has not got all of it any more. */
  z.strictObject({ type: z.literal('audit-answer'), auditId: hex32, answer: hex32.nullable() }),
] as const;
