import { parseRange } from './addresses.mjs';

/**
 * @typedef {import('./addresses.mjs').Range} Range
 * @typedef {import('./dial.mjs').Rule} Rule
 * @typedef {{
 *   readonly allow: readonly Rule[],
 *   readonly maxBytes: number,
 *   readonly maxConnections: number,
 *   readonly refuse: readonly Range[],
 *   readonly bytesPerSecond: number | null,
 * }} Config
 */

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
const isRecord = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
/**
 * @param {unknown} value
 * @param {number} least
 * @returns {value is number}
 */
const isCount = (value, least) => typeof value === 'number' && Number.isSafeInteger(value) && value >= least;
/**
 * @param {unknown} value
 * @returns {value is number | null}
 */
const isRate = (value) => value === null || isCount(value, 0);
/**
 * @param {unknown} value
 * @returns {value is Rule}
 */
const isRule = (value) =>
  isRecord(value) &&
  typeof value['host'] === 'string' &&
  Array.isArray(value['ports']) &&
  value['ports'].every((port) => isCount(port, 1) && port <= 65_535);

/**
 * The first line of input. Throws when it is not whole: a gateway that has understood half of it would let too much through.
 * @param {string} line
 * @returns {Config}
 */
export function readConfig(line) {
  /** @type {unknown} */
  const said = JSON.parse(line);
  if (!isRecord(said)) throw new Error('the configuration is no object');
  const { allow, maxBytes, maxConnections, refuse, bytesPerSecond } = said;
  if (!Array.isArray(allow) || !allow.every(isRule)) throw new Error('allow is not a list of hosts and ports');
  if (!isCount(maxBytes, 0) || !isCount(maxConnections, 1) || !isRate(bytesPerSecond)) {
    throw new Error('maxBytes, maxConnections or bytesPerSecond is no count');
  }
  if (!Array.isArray(refuse)) throw new Error('refuse is no list');
  const ranges = refuse.map((text) => {
    const range = typeof text === 'string' ? parseRange(text) : null;
    if (range === null) throw new Error('refuse names something that is no range of addresses');
    return range;
  });
  return { allow, maxBytes, maxConnections, refuse: ranges, bytesPerSecond };
}

/**
 * A later line. What is not known means nothing.
 * @param {string} line
 * @returns {{readonly bytesPerSecond?: number | null}}
 */
export function readControl(line) {
  /** @type {unknown} */
  let said;
  try {
    said = JSON.parse(line);
  } catch {
    return {};
  }
  return isRecord(said) && isRate(said['bytesPerSecond']) ? { bytesPerSecond: said['bytesPerSecond'] } : {};
}
