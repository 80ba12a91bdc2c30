import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { X509CertificateGenerator } from '@peculiar/x509';
import type { Certificate } from '../ports.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const FOR_EVER = new Date('2099-12-31T00:00:00Z');

/**
 * A certificate that nobody trusts, of a key that this process alone has: TLS asks for one. Who is at the other end is proven by
 * what both sign of the connection itself (docs/decisions/0031).
 */
export async function throwawayCertificate(): Promise<Certificate> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    ...{ serialNumber: '01', name: 'CN=idlemesh', signingAlgorithm: ALGORITHM, keys },
    ...{ notBefore: new Date(0), notAfter: FOR_EVER },
  });
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const key = `-----BEGIN PRIVATE KEY-----\n${der.replaceAll(/.{1,64}/g, '$&\n')}-----END PRIVATE KEY-----\n`;
  return { cert: certificate.toString('pem'), key };
}
