import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { fail } from '../../core/errors.ts';
import type { SecretBox } from '../ports.ts';
import { errnoOf, writeFileAtomic } from './files.ts';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** AES-256-GCM: nonce ‖ tag ‖ ciphertext. */
export function encrypt(key: Uint8Array, plain: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const body = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), body]);
}

/** Throws VAULT_UNREADABLE when the key is another or a byte has changed. */
export function decrypt(key: Uint8Array, sealed: Uint8Array): Uint8Array {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES));
    decipher.setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
  } catch (error) {
    return fail('VAULT_UNREADABLE', 'the key does not open what it should have sealed', {}, error);
  }
}

/** The fallback where there is no keyring: a key in a file that only this account may read. Created when first sealing. */
export function fileSecretBox(path: string): SecretBox {
  function key(): Uint8Array {
    try {
      const { mode } = statSync(path);
      if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
        fail('VAULT_UNREADABLE', `${path} may be read by others; set its mode to 0600`);
      }
      const read = readFileSync(path);
      if (read.length !== KEY_BYTES) fail('VAULT_UNREADABLE', `${path} is not a key`);
      return read;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return fail('VAULT_UNREADABLE', `the key file ${path} is missing`, {}, error);
      throw error;
    }
  }
  async function ensured(): Promise<Uint8Array> {
    try {
      statSync(path);
    } catch {
      await writeFileAtomic(path, randomBytes(KEY_BYTES));
    }
    return key();
  }
  return {
    protection: 'file',
    backend: 'file',
    seal: async (plain) => encrypt(await ensured(), plain),
    open: async (sealed) => decrypt(key(), sealed),
  };
}
