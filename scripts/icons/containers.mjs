/** @typedef {{readonly size: number, readonly png: Buffer}} Image a square one; the size in pixels */

export const ICO_SIZES = /** @type {const} */ ([16, 24, 32, 48, 64, 128, 256]);
export const ICNS_SIZES = /** @type {const} */ ([16, 32, 64, 128, 256, 512, 1024]);

/**
 * A Windows icon of PNG images (understood since Windows Vista): ICONDIR, one ICONDIRENTRY each, then the images.
 * @param {readonly Image[]} images
 * @returns {Buffer}
 */
export function ico(images) {
  const head = Buffer.alloc(6 + 16 * images.length);
  head.writeUInt16LE(1, 2);
  head.writeUInt16LE(images.length, 4);
  let offset = head.length;
  images.forEach(({ size, png }, index) => {
    const at = 6 + 16 * index;
    // One byte each for width and height; 0 stands for 256.
    head.writeUInt8(size % 256, at);
    head.writeUInt8(size % 256, at + 1);
    head.writeUInt16LE(1, at + 4);
    head.writeUInt16LE(32, at + 6);
    head.writeUInt32LE(png.length, at + 8);
    head.writeUInt32LE(offset, at + 12);
    offset += png.length;
  });
  return Buffer.concat([head, ...images.map(({ png }) => png)]);
}

/**
 * Which members of an Apple icon hold which size; the second of a pair is the same picture for a dense display.
 * @type {Readonly<Record<number, readonly string[]>>}
 */
const ICNS_TYPES = {
  16: ['icp4'],
  32: ['icp5', 'ic11'],
  64: ['ic12'],
  128: ['ic07'],
  256: ['ic08', 'ic13'],
  512: ['ic09', 'ic14'],
  1024: ['ic10'],
};

/**
 * An Apple icon: 'icns', the whole length, then type, length and PNG of each member.
 * @param {readonly Image[]} images
 * @returns {Buffer}
 */
export function icns(images) {
  const members = images.flatMap(({ size, png }) =>
    (ICNS_TYPES[size] ?? []).map((type) => {
      const head = Buffer.alloc(8);
      head.write(type, 0, 'latin1');
      head.writeUInt32BE(8 + png.length, 4);
      return Buffer.concat([head, png]);
    }),
  );
  const body = Buffer.concat(members);
  const head = Buffer.alloc(8);
  head.write('icns', 0, 'latin1');
  head.writeUInt32BE(8 + body.length, 4);
  return Buffer.concat([head, body]);
}
