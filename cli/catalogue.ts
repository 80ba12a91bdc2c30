import { readEnvelope, readKeyring } from '../agent/adapters/catalogue-files.ts';
import { verifyEd25519 } from '../agent/adapters/ed25519.ts';
import type { Catalogue } from '../core/catalogue.ts';
import { fail } from '../core/errors.ts';
import type { UnixMs } from '../core/primitives.ts';
import {
  type CatalogueRefusal,
  ENGINE_PLATFORMS,
  type EnginePlatform,
  readRelease,
  resolveRelease,
  untimely,
} from '../core/release.ts';
import { textIn } from '../core/text/index.ts';

/** Images for processors like this one come first. */
const platforms: readonly EnginePlatform[] =
  process.arch === 'arm64' ? [...ENGINE_PLATFORMS].reverse() : ENGINE_PLATFORMS;

/** A catalogue that enough release keys have signed, and that is of this time. */
export type SignedCatalogue = {
  readonly catalogue: Catalogue;
  /** As it is handed on to devices. */
  readonly envelope: string;
  readonly expiresAt: UnixMs;
};

export type CatalogueSource = { readonly catalogueFile: string; readonly catalogueKeysFile: string };

/** Throws NOT_FOUND, BAD_INPUT (the keys) or REFUSED, each naming the file and the reason. */
export async function loadCatalogue(
  { catalogueFile: path, catalogueKeysFile: keysPath }: CatalogueSource,
  now: UnixMs,
): Promise<SignedCatalogue> {
  const keys = await readKeyring(keysPath).catch((error: unknown) =>
    fail('BAD_INPUT', `the release keys ${keysPath} are not valid`, { path: keysPath }, error),
  );
  const envelope = await readEnvelope(path);
  if (envelope === null) {
    return fail('NOT_FOUND', `no catalogue at ${path}; run npm start once, it builds the workload images`, { path });
  }
  const verdict = readRelease(envelope, { keys, verify: verifyEd25519 });
  if (verdict.kind === 'refused') return refuse(path, verdict.why);
  const late = untimely(verdict.release, now);
  if (late !== null) return refuse(path, late);
  const { expiresAt } = verdict.release;
  return { catalogue: resolveRelease(verdict.release, platforms), envelope, expiresAt: expiresAt * 1000 };
}

/** What a coordinator is told of it. */
export const offering = ({ catalogue, envelope, expiresAt }: SignedCatalogue) => ({
  catalogue,
  release: { envelope, expiresAt },
});

function refuse(path: string, why: CatalogueRefusal): never {
  const { advice } = textIn('en').problem({ kind: 'catalogue-untrusted', why });
  return fail('REFUSED', `the catalogue ${path} is refused: ${advice}`, { path, why: why.kind });
}
