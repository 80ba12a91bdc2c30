/**
 * Which addresses may be dialled. Every address is 128 bits wide here; IPv4 lies in ::ffff:0:0/96, so an address that was
 * mapped into IPv6 is the same number as without, and meets the same rules.
 *
 * @typedef {{readonly value: bigint, readonly bits: number}} Range an address with so many leading bits that count
 */

const WIDTH = 128;
const V4 = 0xffffn << 32n;
const V4_BITS = 96;

/**
 * Canonical notation only: no leading zeros, no hexadecimal or missing parts, which every library reads in its own way.
 * @param {string} text
 * @returns {bigint | null}
 */
function parseV4(text) {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255))
    return null;
  return parts.reduce((sum, part) => sum * 256n + BigInt(part), 0n);
}

/**
 * @param {string} text groups between colons; the last may be an IPv4 address
 * @returns {readonly bigint[] | null} 16 bits each
 */
function parseGroups(text) {
  if (text === '') return [];
  /** @type {bigint[]} */
  const groups = [];
  const parts = text.split(':');
  for (const [at, part] of parts.entries()) {
    if (part.includes('.')) {
      const v4 = at === parts.length - 1 ? parseV4(part) : null;
      if (v4 === null) return null;
      groups.push(v4 >> 16n, v4 & 0xffffn);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(BigInt(`0x${part}`));
    else return null;
  }
  return groups;
}

/**
 * @param {string} text
 * @returns {bigint | null}
 */
function parseV6(text) {
  const halves = text.split('::');
  const groups = halves.map(parseGroups);
  const [head, tail] = groups;
  if (!head || tail === null || halves.length > 2) return null;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return null;
  const whole = [...head, ...Array(tail === undefined ? 0 : missing).fill(0n), ...(tail ?? [])];
  return whole.reduce((sum, group) => (sum << 16n) | group, 0n);
}

/**
 * An address in canonical IPv4 or any IPv6 notation, without a zone; null: it is none.
 * @param {string} text
 * @returns {bigint | null}
 */
export function parseAddress(text) {
  const v4 = parseV4(text);
  return v4 === null ? parseV6(text) : V4 | v4;
}

/**
 * `address/bits`, or one address alone; null: it is neither.
 * @param {string} text
 * @returns {Range | null}
 */
export function parseRange(text) {
  const [address = '', length, more] = text.split('/');
  const value = parseAddress(address);
  if (value === null || more !== undefined) return null;
  const offset = parseV4(address) === null ? 0 : V4_BITS;
  if (length === undefined) return { value, bits: WIDTH };
  if (!/^(0|[1-9][0-9]{0,2})$/.test(length) || Number(length) > WIDTH - offset) return null;
  return { value, bits: Number(length) + offset };
}

/**
 * @param {bigint} address
 * @param {Range} range
 */
const within = (address, { value, bits }) => (address ^ value) >> BigInt(WIDTH - bits) === 0n;

/**
 * @param {string} why
 * @param {readonly string[]} ranges
 */
const table = (why, ranges) =>
  ranges.map((text) => {
    const range = parseRange(text);
    if (range === null) throw new Error(`${text} is no range`);
    return { ...range, why };
  });

/** Sources: IANA IPv4 and IPv6 Special-Purpose Address Registries; the clouds' own pages for their metadata services. */
const FORBIDDEN = [
  ...table('metadata', ['169.254.169.254', '100.100.100.200', '168.63.129.16', 'fd00:ec2::254']),
  ...table('this-network', ['0.0.0.0/8']),
  ...table('private', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7']),
  ...table('shared', ['100.64.0.0/10']),
  ...table('loopback', ['127.0.0.0/8', '::1']),
  ...table('link-local', ['169.254.0.0/16', 'fe80::/10']),
  ...table('site-local', ['fec0::/10']),
  ...table('documentation', ['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '2001:db8::/32', '3fff::/20']),
  ...table('benchmark', ['198.18.0.0/15']),
  ...table('multicast', ['224.0.0.0/4', 'ff00::/8']),
  ...table('broadcast', ['255.255.255.255']),
  ...table('reserved', ['192.0.0.0/24', '240.0.0.0/4', '3ffe::/16']),
  // What is wrapped in another address arrives where the wrapping says. Nobody offers a service under one of these.
  ...table('tunnel', ['192.88.99.0/24', '::/96', '64:ff9b:1::/48', '2002::/16']),
  // Teredo, benchmarks, ORCHID and their like.
  ...table('protocol', ['2001::/23']),
];
const NAT64 = /** @type {Range} */ (parseRange('64:ff9b::/96'));
/** All that has ever been given out to be reached from everywhere. */
const GLOBAL = table('global', ['0.0.0.0/0', '2000::/3']);
/** Of the last 64 bits the first half, but for the bit that may be either: an IPv4 address follows (ISATAP, RFC 5214). */
const ISATAP = { value: 0x5efen, mask: 0xfdff_ffffn };

/**
 * Why an address may not be dialled; null: it may.
 * @param {bigint} address
 * @param {readonly Range[]} own the machine's own addresses and networks, and the gateway's
 * @returns {string | null}
 */
export function forbidden(address, own) {
  if (own.some((range) => within(address, range))) return 'host';
  const rule = FORBIDDEN.find((range) => within(address, range));
  if (rule !== undefined) return rule.why;
  // A network without IPv4 reaches the rest of the world through these: what counts is what they wrap.
  if (within(address, NAT64)) return forbidden(V4 | (address & 0xffff_ffffn), own);
  if (!GLOBAL.some((range) => within(address, range))) return 'reserved';
  return ((address >> 32n) & ISATAP.mask) === ISATAP.value ? 'tunnel' : null;
}
