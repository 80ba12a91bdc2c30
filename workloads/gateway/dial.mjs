import { connect } from 'node:net';
import { forbidden, parseAddress } from './addresses.mjs';
import { Refusal } from './refusal.mjs';

/**
 * @typedef {import('node:net').Socket} Socket
 * @typedef {import('./addresses.mjs').Range} Range
 * @typedef {import('./head.mjs').Target} Target
 * @typedef {{readonly host: string, readonly ports: readonly number[]}} Rule `host`: a name, or `*.` and one: its sub-names
 * @typedef {(host: string) => Promise<readonly string[]>} Resolve all its addresses, asked for once; throws when there are none
 */

const CONNECT_MS = 10_000;

/**
 * @param {readonly Rule[]} rules
 * @param {Target} target
 */
export const allows = (rules, { host, port }) =>
  rules.some(
    (rule) =>
      rule.ports.includes(port) &&
      (rule.host.startsWith('*.') ? host.endsWith(rule.host.slice(1)) : host === rule.host),
  );

/**
 * The addresses of a name, all of them checked: one that is forbidden among them refuses the name, since whoever answers so is
 * trying something. Throws a `Refusal`.
 * @param {string} host
 * @param {Resolve} resolve
 * @param {readonly Range[]} own
 * @returns {Promise<readonly string[]>}
 */
export async function addressesOf(host, resolve, own) {
  const found = await resolve(host).catch(() => []);
  if (found.length === 0) throw new Refusal(502, 'unresolved', `${host} has no address`);
  for (const text of found) {
    const address = parseAddress(text);
    const why = address === null ? 'reserved' : forbidden(address, own);
    if (why !== null) throw new Refusal(403, why, `${host} has an address that is not of the public internet`);
  }
  return found;
}

/**
 * @param {string} address
 * @param {number} port
 * @returns {Promise<Socket>}
 */
function reach(address, port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, allowHalfOpen: true });
    const give = (/** @type {Error} */ error) => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(CONNECT_MS, () => give(new Error('no answer')));
    socket.once('error', give);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('error', give);
      resolve(socket);
    });
  });
}

/**
 * Dials a target that the rules allow, at an address that was checked: nobody is asked for the name again in between. Throws
 * a `Refusal`.
 * @param {Target} target
 * @param {{readonly rules: readonly Rule[], readonly resolve: Resolve, readonly own: readonly Range[]}} options
 * @returns {Promise<Socket>}
 */
export async function dial(target, { rules, resolve, own }) {
  const { host, port } = target;
  // Before anybody is asked for it: a name can carry a secret out.
  if (!allows(rules, target))
    throw new Refusal(403, 'not-listed', `${host}:${port} is not among what this work may reach`);
  for (const address of await addressesOf(host, resolve, own)) {
    const socket = await reach(address, port).catch(() => null);
    if (socket !== null) return socket;
  }
  throw new Refusal(502, 'unreachable', `${host}:${port} does not answer`);
}
