import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { SigningKey } from 'ethers/crypto';
import { z } from 'zod';
import { asFailure, fail } from '../../core/errors.ts';
import { type Address, address, type Signature } from '../../core/primitives.ts';
import { digestOf, domainOf, type Struct, type StructName } from '../../core/typed-data.ts';
import type { NetworkInfo } from '../../core/wire.ts';
import type { DeviceKey, SecretBox, Vault } from '../ports.ts';
import { decrypt, encrypt } from './file-secret-box.ts';
import { readIfThere, writeFileAtomic } from './files.ts';

const OWNER_PATH = "m/44'/60'/0'/0/0";
const REDACTED = '[ REDACTED ]';

/** `dataKey` is sealed by the secret box; seed and device key are AES-256-GCM under it. Addresses are no secrets. */
const vaultFile = z.strictObject({
  version: z.literal(1),
  protection: z.enum(['keyring', 'file']),
  backend: z.string().max(64),
  owner: address,
  device: address,
  dataKey: z.base64(),
  seed: z.base64(),
  deviceKey: z.base64(),
});
type VaultFile = z.output<typeof vaultFile>;

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const bytes = (base64: string): Uint8Array => Buffer.from(base64, 'base64');
const lower = (value: string): Address => value.toLowerCase() as Address;

/** All of a wallet that is needed seldom; as long as it is not, it costs no memory. */
const wallets = () => import('ethers/wallet');

function signWith<N extends StructName>(key: SigningKey, network: NetworkInfo, name: N, value: Struct<N>): Signature {
  const domain = domainOf(network.chainId, network.distributor);
  return key.sign(digestOf(domain, name, value)).serialized as Signature;
}

class FileVault implements Vault {
  readonly #file: VaultFile;
  readonly #box: SecretBox;
  /** Kept after its first use: reports are signed all the time, and it moves no funds. */
  #device: SigningKey | null = null;

  constructor(file: VaultFile, box: SecretBox) {
    this.#file = file;
    this.#box = box;
  }
  get owner(): Address {
    return this.#file.owner;
  }
  get device(): Address {
    return this.#file.device;
  }
  get protection(): 'keyring' | 'file' {
    return this.#file.protection;
  }

  async #open(part: 'seed' | 'deviceKey'): Promise<Uint8Array> {
    const { backend } = this.#file;
    if (backend !== this.#box.backend) {
      fail('VAULT_UNREADABLE', `the wallet was sealed by "${backend}" and this system offers "${this.#box.backend}"`);
    }
    try {
      const dataKey = await this.#box.open(bytes(this.#file.dataKey));
      const plain = decrypt(dataKey, bytes(this.#file[part]));
      dataKey.fill(0);
      return plain;
    } catch (error) {
      return fail('VAULT_UNREADABLE', asFailure(error).message, { backend }, error);
    }
  }

  sign: Vault['sign'] = async (network, name, value) => {
    const { HDNodeWallet, Mnemonic } = await wallets();
    const entropy = await this.#open('seed');
    const owner = HDNodeWallet.fromMnemonic(Mnemonic.fromEntropy(entropy), OWNER_PATH);
    entropy.fill(0);
    return signWith(owner.signingKey, network, name, value);
  };

  deviceKey = (network: NetworkInfo): DeviceKey => ({
    address: this.device,
    sign: async (name, value) => {
      this.#device ??= new SigningKey(`0x${Buffer.from(await this.#open('deviceKey')).toString('hex')}`);
      return signWith(this.#device, network, name, value);
    },
  });

  toString(): string {
    return REDACTED;
  }
  toJSON(): string {
    return REDACTED;
  }
  [inspect.custom](): string {
    return REDACTED;
  }
}

/**
 * Opens the vault file, or makes one with a new owner and device where there is none. It is never overwritten: a file
 * that cannot be read may hold all that somebody owns. Throws VAULT_UNREADABLE.
 */
export async function openVault(path: string, box: SecretBox): Promise<Vault> {
  const read = await readIfThere(path);
  if (read !== null) {
    const parsed = vaultFile.safeParse(parseJson(read));
    if (!parsed.success) return fail('VAULT_UNREADABLE', `${path} is not a wallet file; nothing was changed`);
    return new FileVault(parsed.data, box);
  }
  const { HDNodeWallet, Mnemonic, Wallet } = await wallets();
  const dataKey = randomBytes(32);
  const entropy = randomBytes(16);
  const deviceKey = randomBytes(32);
  const file: VaultFile = {
    version: 1,
    protection: box.protection,
    backend: box.backend,
    owner: lower(HDNodeWallet.fromMnemonic(Mnemonic.fromEntropy(entropy), OWNER_PATH).address),
    device: lower(new Wallet(`0x${deviceKey.toString('hex')}`).address),
    dataKey: text(await box.seal(dataKey)),
    seed: text(encrypt(dataKey, entropy)),
    deviceKey: text(encrypt(dataKey, deviceKey)),
  };
  await writeFileAtomic(path, `${JSON.stringify(file, null, 2)}\n`);
  for (const secret of [dataKey, entropy, deviceKey]) secret.fill(0);
  return new FileVault(file, box);
}

function parseJson(read: string): unknown {
  try {
    return JSON.parse(read);
  } catch {
    return null;
  }
}
