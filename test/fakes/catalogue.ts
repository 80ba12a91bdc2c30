import { verifyEd25519 } from '../../agent/adapters/ed25519.ts';
import type { CatalogueShelf, KeptCatalogue } from '../../agent/ports.ts';
import type { Keyring } from '../../core/dsse.ts';
import { fail } from '../../core/errors.ts';
import { KEYRING, PLATFORM } from '../support/signed.ts';

/** Shelves in memory; keys and signatures are real. */
export class FakeShelf implements CatalogueShelf {
  keys: Keyring = KEYRING;
  readonly verify = verifyEd25519;
  readonly platform = PLATFORM;
  /** What came with the app. */
  file: () => string | null;
  /** The disk: survives the agent. */
  memory: KeptCatalogue | null = null;
  full = false;
  writes = 0;

  constructor(file: () => string | null) {
    this.file = file;
  }
  bundled = async (): Promise<string | null> => this.file();
  kept = async (): Promise<KeptCatalogue | null> => this.memory;
  keep = async (value: KeptCatalogue): Promise<void> => {
    if (this.full) fail('DISK_FULL', 'no space left on device');
    this.memory = value;
    this.writes++;
  };
}
