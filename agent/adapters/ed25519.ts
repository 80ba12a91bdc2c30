import { createPublicKey, verify } from 'node:crypto';
import type { Verify } from '../../core/dsse.ts';

/** What stands before the 32 bytes of a key in its SubjectPublicKeyInfo (RFC 8410). */
const HEAD = Buffer.from('302a300506032b6570032100', 'hex');

/** Ed25519 (RFC 8032) of the runtime's own library. */
export const verifyEd25519: Verify = (publicKey, data, signature) => {
  try {
    const key = createPublicKey({ key: Buffer.concat([HEAD, publicKey]), format: 'der', type: 'spki' });
    return verify(null, data, key, signature);
  } catch {
    return false;
  }
};
