import { safeStorage } from 'electron';
import type { SecretBox } from '../../agent/ports.ts';
import { fail } from '../../core/errors.ts';

/** Chromium's stand-in where there is no keyring: obfuscation with a built-in password, not protection. */
const NOT_A_KEYRING: readonly string[] = ['basic_text', 'unknown'];

/** Null where the system has no keyring. Only once the app is ready: before, Linux always answers no. */
export function createKeyringBox(): SecretBox | null {
  if (!safeStorage.isEncryptionAvailable()) return null;
  // Missing at run time before Electron 27, whatever the types say.
  const selected: unknown = Reflect.get(safeStorage, 'getSelectedStorageBackend');
  if (process.platform === 'linux' && typeof selected === 'function') {
    if (NOT_A_KEYRING.includes(safeStorage.getSelectedStorageBackend())) return null;
  }
  return {
    protection: 'keyring',
    backend: `keyring-${process.platform}`,
    seal: async (plain) => safeStorage.encryptString(Buffer.from(plain).toString('base64')),
    open: async (sealed) => {
      try {
        return Buffer.from(safeStorage.decryptString(Buffer.from(sealed)), 'base64');
      } catch (error) {
        return fail('VAULT_UNREADABLE', 'the system keyring does not hold the key that sealed this wallet', {}, error);
      }
    },
  };
}
