import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readEnvelope } from '../agent/adapters/catalogue-files.ts';
import { verifyEd25519 } from '../agent/adapters/ed25519.ts';
import { readIfThere, writeFileAtomic } from '../agent/adapters/files.ts';
import { fromBase64, fromUtf8, type Keyring } from '../core/dsse.ts';
import type { UnixMs } from '../core/primitives.ts';
import { readRelease, untimely } from '../core/release.ts';
import { draft, type ReleaseContent, readContent } from './release.ts';
import { addSignature, encodeEnvelope, newKey, publicPart, readEnvelopeText, readKey, wrap } from './signing.ts';

const KEYS = 3;
const THRESHOLD = 2;
const DAYS = 180;
/** One that has less left is signed anew. */
const SPARE_MS = 30 * 86_400_000;

/**
 * The practice network's catalogue: signed as a real one is, by two of three keys that this machine makes for itself and nobody
 * else trusts. One with this content and time to spare is kept as it is, so that its version grows only with its content.
 */
export async function signPractice(folder: string, what: ReleaseContent, now: UnixMs): Promise<'kept' | 'signed'> {
  const keys = await practiceKeys(join(folder, 'keys'));
  const ring: Keyring = { threshold: THRESHOLD, keys: keys.map(publicPart) };
  await replace(join(folder, 'catalogue-keys.json'), `${JSON.stringify(ring, null, 2)}\n`);
  const path = join(folder, 'catalogue.json');
  const text = await readEnvelope(path);
  const before = readRelease(text, { keys: ring, verify: verifyEd25519 });
  if (before.kind === 'genuine' && text !== null) {
    const left = before.release.expiresAt * 1000 - now;
    if (untimely(before.release, now) === null && left > SPARE_MS && holds(text, what)) return 'kept';
  }
  // Seconds since 1970 at least: a cache that was emptied must not fall behind the devices that remember it.
  const last = before.kind === 'genuine' ? before.release.version : 0;
  const version = Math.max(last + 1, Math.floor(now / 1000));
  const signed = keys.slice(0, THRESHOLD).reduce(addSignature, wrap(draft(what, version, now, DAYS)));
  await writeFileAtomic(path, encodeEnvelope(signed));
  return 'signed';
}

function holds(text: string, what: ReleaseContent): boolean {
  const payload = fromUtf8(fromBase64(readEnvelopeText(text).payload) ?? new Uint8Array());
  const { minimums, entries } = readContent(payload ?? '');
  return JSON.stringify([minimums, entries]) === JSON.stringify([what.minimums, what.entries]);
}

async function replace(path: string, text: string): Promise<void> {
  if ((await readIfThere(path)) !== text) await writeFileAtomic(path, text);
}

async function practiceKeys(folder: string) {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const paths = Array.from({ length: KEYS }, (_, index) => join(folder, `practice-${index + 1}.pem`));
  return Promise.all(
    paths.map(async (path) => {
      const made = await writeFile(path, newKey(), { mode: 0o600, flag: 'wx' }).then(
        () => true,
        () => false,
      );
      if (!made) await chmod(path, 0o600);
      return readKey(await readFile(path, 'utf8'));
    }),
  );
}
