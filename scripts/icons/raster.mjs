// A tiny rasteriser: shapes as signed distances in a unit square, 4×4 samples a pixel, PNG out.
import { deflateSync } from 'node:zlib';

/** @typedef {(x: number, y: number) => number} Shape distance to its edge, negative inside, in parts of the square */
/** @typedef {{readonly shape: Shape, readonly rgb: readonly [number, number, number]}} Layer */

const SAMPLES = 4;

/** @type {(cx: number, cy: number, r: number) => Shape} */
export const disc = (cx, cy, r) => (x, y) => Math.hypot(x - cx, y - cy) - r;

/** @type {(cx: number, cy: number, r: number, width: number) => Shape} */
export const ring = (cx, cy, r, width) => (x, y) => Math.abs(Math.hypot(x - cx, y - cy) - r) - width / 2;

/** A slice of the plane seen from a point, in degrees clockwise from the right. @type {(cx: number, cy: number, from: number, to: number) => Shape} */
export const wedge = (cx, cy, from, to) => (x, y) => {
  const angle = ((Math.atan2(y - cy, x - cx) * 180) / Math.PI - from + 720) % 360;
  return angle < to - from ? -1 : 1;
};

/** @type {(cx: number, cy: number, halfWidth: number, halfHeight: number, round: number) => Shape} */
export const box = (cx, cy, halfWidth, halfHeight, round) => (x, y) => {
  const dx = Math.abs(x - cx) - halfWidth + round;
  const dy = Math.abs(y - cy) - halfHeight + round;
  return Math.hypot(Math.max(dx, 0), Math.max(dy, 0)) + Math.min(Math.max(dx, dy), 0) - round;
};

/** @type {(...shapes: readonly Shape[]) => Shape} */
export const any =
  (...shapes) =>
  (x, y) =>
    Math.min(...shapes.map((shape) => shape(x, y)));

/** @type {(shape: Shape, hole: Shape) => Shape} */
export const without = (shape, hole) => (x, y) => Math.max(shape(x, y), -hole(x, y));

/**
 * Layers, later over earlier, as an RGBA PNG.
 * @param {number} size pixels
 * @param {readonly Layer[]} layers
 * @returns {Buffer}
 */
export function png(size, layers) {
  const stride = size * 4 + 1;
  const rows = Buffer.alloc(size * stride);
  for (let at = 0; at < size * size; at++) {
    const [column, row] = [at % size, Math.floor(at / size)];
    rows.set(pixel(layers, column, row, size), row * stride + 1 + column * 4);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([8, 6, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/**
 * @param {readonly Layer[]} layers
 * @param {number} column
 * @param {number} row
 * @param {number} size
 * @returns {readonly number[]}
 */
function pixel(layers, column, row, size) {
  let [red, green, blue, covered] = [0, 0, 0, 0];
  for (let sample = 0; sample < SAMPLES * SAMPLES; sample++) {
    const x = (column + ((sample % SAMPLES) + 0.5) / SAMPLES) / size;
    const y = (row + (Math.floor(sample / SAMPLES) + 0.5) / SAMPLES) / size;
    const top = layers.findLast(({ shape }) => shape(x, y) <= 0);
    if (top === undefined) continue;
    red += top.rgb[0];
    green += top.rgb[1];
    blue += top.rgb[2];
    covered += 1;
  }
  if (covered === 0) return [0, 0, 0, 0];
  return [red / covered, green / covered, blue / covered, (255 * covered) / SAMPLES ** 2].map(Math.round);
}

/**
 * @param {string} type
 * @param {Buffer} body
 * @returns {Buffer}
 */
function chunk(type, body) {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), body]);
  const framed = Buffer.alloc(body.length + 12);
  framed.writeUInt32BE(body.length, 0);
  framed.set(named, 4);
  framed.writeUInt32BE(crc32(named), body.length + 8);
  return framed;
}

/**
 * @param {Buffer} bytes
 * @returns {number}
 */
function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
