import { fail } from './errors.ts';
import { fromHex, type Keccak, keccak, toHex, utf8 } from './keccak.ts';
import type { Hex32 } from './primitives.ts';

/**
 * Hashes of typed data (EIP-712) for structs of the few types that are signed here, laid out in one buffer. The type hashes
 * and the domains are computed once. Equal to ethers' `TypedDataEncoder`, by test.
 */
type Field = { readonly name: string; readonly type: string };
type Domain = {
  readonly name: string;
  readonly version: string;
  readonly chainId: number;
  readonly verifyingContract: string;
};

const WORD = 32;
const ADDRESS = 20;
const PREFIX = [0x19, 0x01] as const;
/** Bytes of a large number that are written at once. */
const PIECE = 4;
const LOW = 0xffff_ffffn;

const DOMAIN: readonly Field[] = [
  { name: 'name', type: 'string' },
  { name: 'version', type: 'string' },
  { name: 'chainId', type: 'uint256' },
  { name: 'verifyingContract', type: 'address' },
];

type Slot = Field & { readonly kind: 'string' | 'bytes32' | 'address' | 'uint'; readonly bits: number };
type Layout = { readonly slots: readonly Slot[]; readonly typeHash: Uint8Array };
const layouts = new WeakMap<readonly Field[], Layout>();

function slotOf({ name, type }: Field): Slot {
  if (type === 'string' || type === 'bytes32' || type === 'address') return { name, type, kind: type, bits: 0 };
  if (type.startsWith('uint')) return { name, type, kind: 'uint', bits: Number(type.slice('uint'.length)) };
  return fail('INTERNAL', `nothing of type ${type} is signed here`);
}

function layoutOf(name: string, fields: readonly Field[]): Layout {
  const known = layouts.get(fields);
  if (known !== undefined) return known;
  const text = `${name}(${fields.map((field) => `${field.type} ${field.name}`).join(',')})`;
  const layout = { slots: fields.map(slotOf), typeHash: keccak(utf8(text)) };
  layouts.set(fields, layout);
  return layout;
}

/** Throws BAD_INPUT for a value that its type cannot hold. */
function write(into: Uint8Array, at: number, { name, type, kind, bits }: Slot, value: unknown): void {
  const wrong = (): never => fail('BAD_INPUT', `${name} is no ${type}`);
  if (kind === 'uint') writeNumber(into, at, bits, value) || wrong();
  else if (kind === 'bytes32') into.set(bytesOf(value, WORD) ?? wrong(), at);
  else if (kind === 'address') into.set(bytesOf(value, ADDRESS) ?? wrong(), at + WORD - ADDRESS);
  else into.set(keccak(utf8(typeof value === 'string' ? value : wrong())), at);
}

function bytesOf(value: unknown, size: number): Uint8Array | null {
  if (typeof value !== 'string' || value.length !== 2 + 2 * size || !value.startsWith('0x')) return null;
  try {
    return fromHex(value);
  } catch {
    return null;
  }
}

function writeNumber(into: Uint8Array, at: number, bits: number, value: unknown): boolean {
  if (typeof value === 'number' ? !Number.isSafeInteger(value) : typeof value !== 'bigint') return false;
  if (typeof value === 'number') return writeSmall(into, at, bits, value);
  const big = BigInt(value as bigint);
  if (big < 0n || big >> BigInt(bits) !== 0n) return false;
  let rest = big;
  for (let place = at + WORD - PIECE; rest > 0n; place -= PIECE) {
    writeSmall(into, place + PIECE - WORD, PIECE * 8, Number(rest & LOW));
    rest >>= BigInt(PIECE * 8);
  }
  return true;
}

function writeSmall(into: Uint8Array, at: number, bits: number, value: number): boolean {
  if (value < 0 || value >= 2 ** bits) return false;
  let rest = value;
  for (let place = at + WORD - 1; rest > 0; place--) {
    into[place] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return true;
}

/** `hashStruct(s)` of EIP-712. */
export function structHash(
  name: string,
  fields: readonly Field[],
  value: Readonly<Record<string, unknown>>,
  hash: Keccak = keccak,
): Uint8Array {
  const { typeHash, slots } = layoutOf(name, fields);
  const words = new Uint8Array(WORD * (fields.length + 1));
  words.set(typeHash);
  let at = WORD;
  for (const slot of slots) {
    write(words, at, slot, value[slot.name]);
    at += WORD;
  }
  return hash(words);
}

const separators = new WeakMap<Domain, Uint8Array>();

function separatorOf(domain: Domain): Uint8Array {
  const known = separators.get(domain);
  if (known !== undefined) return known;
  const separator = structHash('EIP712Domain', DOMAIN, domain);
  separators.set(domain, separator);
  return separator;
}

/** What is signed. `domain` must not be changed afterwards. */
export function typedDigest(
  domain: Domain,
  name: string,
  fields: readonly Field[],
  value: Readonly<Record<string, unknown>>,
  hash: Keccak = keccak,
): Hex32 {
  const all = new Uint8Array(PREFIX.length + 2 * WORD);
  all.set(PREFIX);
  all.set(separatorOf(domain), PREFIX.length);
  all.set(structHash(name, fields, value, hash), PREFIX.length + WORD);
  return toHex(hash(all));
}
