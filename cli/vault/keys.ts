import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { fail } from '../../core/errors.ts';
import { fromHex } from '../../core/keccak.ts';
import type { Hex32 } from '../../core/primitives.ts';
import { type FileManifest, fileManifest } from '../../core/stored-file.ts';

export const CIPHER = 'aes-256-gcm';
export const NONCE_BYTES = 12;
export const GCM_TAG_BYTES = 16;
const KEY_BYTES = 32;
const PREFIX_BYTES = 7;

/** HKDF-SHA256 (RFC 5869) without salt. */
const derive = (from: Uint8Array, use: string, fileId: Hex32, bytes: number): Buffer =>
  Buffer.from(hkdfSync('sha256', from, '', `idlemesh ${use} 1 ${fileId}`, bytes));

/** nonce ‖ ciphertext ‖ tag. The nonce is random: what one key encrypts is counted on one hand. */
function enclose(key: Uint8Array, plain: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce);
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** null: not with this key, or not what was enclosed. */
function disclose(key: Uint8Array, enclosed: Uint8Array): Buffer | null {
  if (enclosed.length < NONCE_BYTES + GCM_TAG_BYTES) return null;
  const end = enclosed.length - GCM_TAG_BYTES;
  const decipher = createDecipheriv(CIPHER, key, enclosed.subarray(0, NONCE_BYTES), { authTagLength: GCM_TAG_BYTES });
  decipher.setAuthTag(enclosed.subarray(end));
  try {
    return Buffer.concat([decipher.update(enclosed.subarray(NONCE_BYTES, end)), decipher.final()]);
  } catch {
    return null;
  }
}

/** What one file is encrypted with; all of it follows from its random key. */
export class FileKeys {
  readonly fileId: Hex32;
  readonly #segments: Buffer;
  readonly #padding: Buffer;
  readonly #seeds: Buffer;
  readonly #prefix: Buffer;

  constructor(fileKey: Uint8Array, fileId: Hex32) {
    this.fileId = fileId;
    this.#segments = derive(fileKey, 'segments', fileId, KEY_BYTES);
    this.#padding = derive(fileKey, 'padding', fileId, KEY_BYTES);
    this.#seeds = derive(fileKey, 'audits', fileId, KEY_BYTES);
    this.#prefix = derive(fileKey, 'prefix', fileId, PREFIX_BYTES);
  }

  /** STREAM's nonce: prefix ‖ uint32be(number of the segment) ‖ 1 for the last segment. */
  #nonce(segment: number, last: boolean): Buffer {
    const nonce = Buffer.alloc(NONCE_BYTES);
    this.#prefix.copy(nonce);
    nonce.writeUInt32BE(segment, PREFIX_BYTES);
    nonce.writeUInt8(last ? 1 : 0, NONCE_BYTES - 1);
    return nonce;
  }

  /** Ciphertext and tag. */
  sealSegment(segment: number, last: boolean, plain: Uint8Array): Buffer {
    const cipher = createCipheriv(CIPHER, this.#segments, this.#nonce(segment, last));
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  /** Throws VAULT_UNREADABLE for any other bytes than the segment of that number. */
  openSegment(segment: number, last: boolean, sealed: Uint8Array): Buffer {
    const end = Math.max(0, sealed.length - GCM_TAG_BYTES);
    const options = { authTagLength: GCM_TAG_BYTES };
    const decipher = createDecipheriv(CIPHER, this.#segments, this.#nonce(segment, last), options);
    try {
      decipher.setAuthTag(sealed.subarray(end));
      return Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()]);
    } catch (error) {
      return fail('VAULT_UNREADABLE', 'a part of the file is not what was stored', { segment }, error);
    }
  }

  /** What fills the last group up: always the same, and like ciphertext to everybody else. So no two files share a shard. */
  padding(bytes: number): Buffer {
    return createCipheriv('aes-256-ctr', this.#padding, Buffer.alloc(16)).update(Buffer.alloc(bytes));
  }

  /** Seeds of audits, the same whenever they are asked for, and known to nobody else. */
  seeds(agreementId: Hex32, count: number): readonly Uint8Array[] {
    return Array.from({ length: count }, (_, number) =>
      createHmac('sha256', this.#seeds).update(`${agreementId} ${number}`).digest(),
    );
  }
}

/** The key under which a consumer's files are kept. Whoever has the consumer's private key can read all of them. */
export class OwnerKey {
  readonly #key: Uint8Array;

  /** Throws BAD_INPUT. */
  constructor(privateKey: string) {
    if (!/^0x[0-9a-f]{64}$/i.test(privateKey)) fail('BAD_INPUT', 'a private key is 0x and 64 hex digits');
    this.#key = fromHex(privateKey);
  }

  /** A new key for a file, to be kept next to it. Base64. */
  newFileKey(fileId: Hex32): string {
    return enclose(derive(this.#key, 'file key', fileId, KEY_BYTES), randomBytes(KEY_BYTES)).toString('base64');
  }

  /** Throws VAULT_UNREADABLE when it was wrapped with another key. */
  fileKeys(fileId: Hex32, wrappedKey: string): FileKeys {
    const enclosed = Buffer.from(wrappedKey, 'base64');
    const fileKey = disclose(derive(this.#key, 'file key', fileId, KEY_BYTES), enclosed);
    if (fileKey?.length !== KEY_BYTES) return fail('VAULT_UNREADABLE', 'this file belongs to another key', { fileId });
    return new FileKeys(fileKey, fileId);
  }

  sealManifest(fileId: Hex32, manifest: FileManifest): Buffer {
    return enclose(derive(this.#key, 'manifest', fileId, KEY_BYTES), Buffer.from(JSON.stringify(manifest)));
  }

  /** Throws VAULT_UNREADABLE when it is of another key, of another file, or of a newer Idlemesh. */
  openManifest(fileId: Hex32, enclosed: Uint8Array): FileManifest {
    const plain = disclose(derive(this.#key, 'manifest', fileId, KEY_BYTES), enclosed);
    if (plain === null) return fail('VAULT_UNREADABLE', 'this file belongs to another key', { fileId });
    const read = fileManifest.safeParse(JSON.parse(plain.toString('utf8')));
    if (read.success) return read.data;
    return fail('VAULT_UNREADABLE', 'the file was stored by a newer Idlemesh; update this one', { fileId }, read.error);
  }
}
