import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const BLOCK = 512;

/**
 * One header block of the ustar format (POSIX.1-1988). Owner root, time zero, so that equal folders give equal archives.
 * @param {string} name at most 100 bytes
 * @param {number} size bytes
 * @param {number} mode permission bits
 * @returns {Buffer}
 */
export function tarHeader(name, size, mode) {
  if (Buffer.byteLength(name) > 100) throw new RangeError(`name too long for a plain archive: ${name}`);
  const block = Buffer.alloc(BLOCK);
  /** @param {number} value @param {number} digits @param {number} at */
  const octal = (value, digits, at) => block.write(`${value.toString(8).padStart(digits, '0')}\0`, at, 'latin1');
  block.write(name, 0, 'utf8');
  octal(mode, 7, 100);
  octal(0, 7, 108);
  octal(0, 7, 116);
  octal(size, 11, 124);
  octal(0, 11, 136);
  block.write('        ', 148, 'latin1');
  block.write('0', 156, 'latin1');
  block.write('ustar\u000000', 257, 'latin1');
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/**
 * A folder's files as an archive, for the engine's build API.
 * @param {string} dir
 * @returns {Buffer}
 */
export function tarFolder(dir) {
  /** @type {Buffer[]} */
  const parts = [];
  /** @param {string} inside */
  const add = (inside) => {
    for (const name of readdirSync(join(dir, inside)).sort()) {
      const path = inside ? `${inside}/${name}` : name;
      const stat = statSync(join(dir, path));
      if (stat.isDirectory()) {
        add(path);
      } else {
        const data = readFileSync(join(dir, path));
        parts.push(
          tarHeader(path, data.length, stat.mode & 0o111 ? 0o755 : 0o644),
          data,
          Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK),
        );
      }
    }
  };
  add('');
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}
