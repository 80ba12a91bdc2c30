import { isIPv4, isIPv6 } from 'node:net';

const IPV4_KEPT = 3;
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const MAPPED_HEX = /^(?:0*:){1,7}ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i;

/** Not on the internet (RFC 1918, 3927, 6598 and loopback). */
function isPrivateIPv4([a = 0, b = 0]: readonly number[]): boolean {
  if (a === 10 || a === 127 || a === 0) return true;
  if (a === 172) return b >= 16 && b <= 31;
  if (a === 100) return b >= 64 && b <= 127;
  return (a === 192 && b === 168) || (a === 169 && b === 254);
}

function ofIPv4(address: string): string | null {
  const parts = address.split('.').map(Number);
  return isPrivateIPv4(parts) ? null : `${parts.slice(0, IPV4_KEPT).join('.')}.0/24`;
}

/** Loopback, unspecified, fc00::/7 and fe80::/10. */
const isPrivateIPv6 = (groups: readonly number[]): boolean =>
  groups.slice(0, 7).every((group) => group === 0) ||
  ((groups[0] ?? 0) & 0xfe00) === 0xfc00 ||
  ((groups[0] ?? 0) & 0xffc0) === 0xfe80;

/** The eight groups of an address, its `::` written out. */
function groupsOf(address: string): readonly number[] {
  const [head = '', tail] = address.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const missing = tail === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...new Array<number>(Math.max(0, missing)).fill(0), ...after];
}

/**
 * The network that counts once: the /24 of an IPv4 address, the /56 of an IPv6 one, which is what one line is usually given.
 * `null` for what is no address of the internet: in a private mesh all are on one network, and only owners count.
 */
export function subnetOf(address: string): string | null {
  const plain = address.split('%')[0] ?? '';
  const mapped = MAPPED.exec(plain)?.[1];
  if (mapped !== undefined && isIPv4(mapped)) return ofIPv4(mapped);
  if (isIPv4(plain)) return ofIPv4(plain);
  if (!isIPv6(plain)) return null;
  const hex = MAPPED_HEX.exec(plain);
  if (hex !== null) {
    const [high, low] = [Number.parseInt(hex[1] ?? '', 16), Number.parseInt(hex[2] ?? '', 16)];
    return ofIPv4([high >> 8, high & 255, low >> 8, low & 255].join('.'));
  }
  // The last 32 bits may be written as an IPv4 address: they are not part of the /56.
  const groups = groupsOf(plain.replace(/\d+\.\d+\.\d+\.\d+$/, '1:0'));
  if (isPrivateIPv6(groups)) return null;
  const [a = 0, b = 0, c = 0, d = 0] = groups;
  return `${[a, b, c, d & 0xff00].map((group) => group.toString(16)).join(':')}::/56`;
}
