/**
 * Which addresses of the internet a stranger may have us dial: none that is private, or means this machine or its surroundings.
 * Every address is 128 bits wide; IPv4 lies in ::ffff:0:0/96, so that an address mapped into IPv6 meets the same rules. The same
 * rules as workloads/gateway/addresses.mjs, which runs inside an image; a test holds the two together.
 */
export type AddressRange = { readonly value: bigint; readonly bits: number };

const WIDTH = 128;
const V4 = 0xffffn << 32n;
const V4_BITS = 96;

/** Canonical notation only: leading zeros or hexadecimal parts are read by every library in its own way. */
function parseV4(text: string): bigint | null {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255))
    return null;
  return parts.reduce((total, part) => total * 256n + BigInt(part), 0n);
}

function parseGroups(text: string): readonly bigint[] | null {
  if (text === '') return [];
  const groups: bigint[] = [];
  const parts = text.split(':');
  for (const [at, part] of parts.entries()) {
    const v4 = part.includes('.') && at === parts.length - 1 ? parseV4(part) : null;
    if (v4 !== null) groups.push(v4 >> 16n, v4 & 0xffffn);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(BigInt(`0x${part}`));
    else return null;
  }
  return groups;
}

function parseV6(text: string): bigint | null {
  const [head, tail, ...more] = text.split('::').map(parseGroups);
  if (head === undefined || head === null || tail === null || more.length > 0) return null;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return null;
  const gap: readonly bigint[] = tail === undefined ? [] : Array.from({ length: missing }, () => 0n);
  return [...head, ...gap, ...(tail ?? [])].reduce((whole, group) => (whole << 16n) | group, 0n);
}

/** An address in canonical IPv4 or any IPv6 notation, without a zone; null: it is none. */
export function parseAddress(text: string): bigint | null {
  const v4 = parseV4(text);
  return v4 === null ? parseV6(text) : V4 | v4;
}

/** `address/bits`, or one address alone; null: it is neither. */
export function parseRange(text: string): AddressRange | null {
  const [address = '', length, more] = text.split('/');
  const value = parseAddress(address);
  if (value === null || more !== undefined) return null;
  const offset = parseV4(address) === null ? 0 : V4_BITS;
  if (length === undefined) return { value, bits: WIDTH };
  if (!/^(0|[1-9][0-9]{0,2})$/.test(length) || Number(length) > WIDTH - offset) return null;
  return { value, bits: Number(length) + offset };
}

const within = (address: bigint, { value, bits }: AddressRange): boolean =>
  (address ^ value) >> BigInt(WIDTH - bits) === 0n;

const ranges = (...texts: readonly string[]): readonly AddressRange[] =>
  texts.flatMap((text) => parseRange(text) ?? []);

/** Sources: IANA IPv4 and IPv6 Special-Purpose Address Registries; the clouds' own pages for their metadata services. */
const FORBIDDEN: readonly AddressRange[] = ranges(
  ...['169.254.169.254', '100.100.100.200', '168.63.129.16', 'fd00:ec2::254'],
  ...['0.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7', '100.64.0.0/10'],
  ...['127.0.0.0/8', '::1', '169.254.0.0/16', 'fe80::/10', 'fec0::/10'],
  ...['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '2001:db8::/32', '3fff::/20', '198.18.0.0/15'],
  ...['224.0.0.0/4', 'ff00::/8', '255.255.255.255', '192.0.0.0/24', '240.0.0.0/4', '3ffe::/16'],
  // What is wrapped in another address arrives where the wrapping says.
  ...['192.88.99.0/24', '::/96', '64:ff9b:1::/48', '2002::/16', '2001::/23'],
);
const NAT64: readonly AddressRange[] = ranges('64:ff9b::/96');
/** All that has ever been given out to be reached from everywhere. */
const GLOBAL = ranges('0.0.0.0/0', '2000::/3');
/** Of the last 64 bits the first half, but for the bit that may be either: an IPv4 address follows (ISATAP, RFC 5214). */
const ISATAP = { value: 0x5efen, mask: 0xfdff_ffffn };

/** `own`: this machine's addresses. Nothing that cannot be read is public. */
export function isPublicAddress(text: string, own: readonly AddressRange[]): boolean {
  const address = parseAddress(text);
  return address !== null && isPublic(address, own);
}

function isPublic(address: bigint, own: readonly AddressRange[]): boolean {
  if ([...own, ...FORBIDDEN].some((range) => within(address, range))) return false;
  // A network without IPv4 reaches the rest of the world through these: what counts is what they wrap.
  if (NAT64.some((range) => within(address, range))) return isPublic(V4 | (address & 0xffff_ffffn), own);
  if (!GLOBAL.some((range) => within(address, range))) return false;
  return ((address >> 32n) & ISATAP.mask) !== ISATAP.value;
}

const LOOPBACK = ranges('127.0.0.0/8', '::1');

export function isLoopbackAddress(text: string): boolean {
  const address = parseAddress(text);
  return address !== null && LOOPBACK.some((range) => within(address, range));
}
