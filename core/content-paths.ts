/** Paths of published files: such as every system can write, and none can be led astray by. */

const MOST_PATH_BYTES = 1_024;
const MOST_NAME_BYTES = 255;
/** What Windows takes for devices, whatever comes after the first dot (Microsoft, "Naming Files, Paths, and Namespaces"). */
const RESERVED = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])[ ]*(\.|$)/i;
/** Control characters, what Windows refuses in names, and halves of characters. */
const FORBIDDEN = /[\p{Cc}\p{Surrogate}<>:"|?*\\]/u;

/** In UTF-8; half a character counts as the three bytes that would replace it. */
function utf8Length(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
}

function nameFault(name: string): string | null {
  if (name === '') return 'it has an empty part, or is absolute';
  if (name === '.' || name === '..') return 'it leads somewhere else';
  if (utf8Length(name) > MOST_NAME_BYTES) return `a part of it is longer than ${MOST_NAME_BYTES} bytes`;
  if (FORBIDDEN.test(name)) return 'it has a character that not every system can write';
  if (/[. ]$/.test(name)) return 'a part of it ends with a dot or a space, which Windows drops';
  return RESERVED.test(name) ? 'a part of it is a device on Windows' : null;
}

/** Why a path may not be published; null: it may. Parts are separated by `/`, and it begins with a name. */
export function pathFault(path: string): string | null {
  if (utf8Length(path) > MOST_PATH_BYTES) return `it is longer than ${MOST_PATH_BYTES} bytes`;
  // macOS writes either form and finds both: two that are the same to it would be one file.
  if (path.normalize('NFC') !== path) return 'it is not in the composed form of Unicode (NFC)';
  for (const name of path.split('/')) {
    const fault = nameFault(name);
    if (fault !== null) return fault;
  }
  return null;
}

/** Alike for what a system that does not tell capitals apart takes for the same. */
const folded = (path: string): string => path.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFC');

/** Two paths of which a system that does not tell capitals apart can hold only one; null: there are none. */
export function collision(paths: readonly string[]): readonly [string, string] | null {
  const files = new Map<string, string>();
  for (const path of paths) {
    const other = files.get(folded(path));
    if (other !== undefined) return [other, path];
    files.set(folded(path), path);
  }
  for (const path of paths) {
    const parts = folded(path).split('/');
    for (let depth = 1; depth < parts.length; depth++) {
      const file = files.get(parts.slice(0, depth).join('/'));
      if (file !== undefined) return [file, path];
    }
  }
  return null;
}
