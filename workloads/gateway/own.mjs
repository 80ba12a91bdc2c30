import { readFile } from 'node:fs/promises';
import { parseRange } from './addresses.mjs';

/** @typedef {import('./addresses.mjs').Range} Range */

/** @param {string} hex eight digits, the bytes as they lie in the memory of a little-endian machine */
const v4 = (hex) =>
  (hex.match(/../g) ?? [])
    .reverse()
    .map((byte) => Number.parseInt(byte, 16))
    .join('.');
/** @param {string} hex 32 digits in the order of the network */
const v6 = (hex) => (hex.match(/.{4}/g) ?? []).join(':');
/** @param {string} hex */
const ones = (hex) => (BigInt(`0x${hex}`).toString(2).match(/1/g) ?? []).length;

/**
 * What the kernel's routing tables name: the networks that a container is attached to, and whoever routes for it, which is the
 * machine it runs on. Formats: Linux, /proc/net/route and /proc/net/ipv6_route; both processors that we build for are
 * little-endian.
 * @param {string} table4
 * @param {string} table6
 * @returns {readonly Range[]}
 */
export function routedRanges(table4, table6) {
  const lines = (/** @type {string} */ text) =>
    text
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/));
  const found = [
    ...lines(table4)
      .slice(1)
      .flatMap(([, to = '', gateway = '', , , , , mask = '']) => [
        ...(mask === '00000000' ? [] : [`${v4(to)}/${ones(mask)}`]),
        ...(/^0*$/.test(gateway) ? [] : [v4(gateway)]),
      ]),
    ...lines(table6).flatMap(([to = '', bits = '', , , gateway = '']) => [
      ...(/^0*$/.test(bits) ? [] : [`${v6(to)}/${Number.parseInt(bits, 16)}`]),
      ...(/^0*$/.test(gateway) ? [] : [v6(gateway)]),
    ]),
  ];
  return found.map((text) => parseRange(text)).flatMap((range) => range ?? []);
}

/** @returns {Promise<readonly Range[]>} */
export async function ownRanges() {
  // No IPv6 in this kernel: then it has no file either.
  const table6 = await readFile('/proc/net/ipv6_route', 'utf8').catch(() => '');
  return routedRanges(await readFile('/proc/net/route', 'utf8'), table6);
}
