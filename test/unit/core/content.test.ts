import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CHUNK_BYTES,
  type ContentFile,
  chunkLength,
  chunksOf,
  contentName,
  encodeManifest,
  fileTag,
  parseManifest,
  piecesOf,
} from '../../../core/content.ts';
import { collision, pathFault } from '../../../core/content-paths.ts';
import { isFailure } from '../../../core/errors.ts';
import { keccakText } from '../../../core/keccak.ts';
import type { Address } from '../../../core/primitives.ts';

const publisher: Address = `0x${'aB'.repeat(20)}`;
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** A file whose chunks have names of their own. */
const fileOf = (path: string, bytes: number): ContentFile => {
  const count = Math.ceil(bytes / CHUNK_BYTES);
  return { path, bytes, chunks: Array.from({ length: count }, (_, at) => keccakText(`${path} ${at}`)) };
};

const name = fc.stringMatching(/^[a-z0-9_é日-]{1,12}$/).map((one) => `n${one.normalize('NFC')}`);
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const size = fc.oneof(
  fc.integer({ min: 0, max: 3 * CHUNK_BYTES + 7 }),
  fc.constantFrom(0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 4 * CHUNK_BYTES),
);
const files = fc
  .uniqueArray(fc.tuple(path, size), { selector: ([one]) => one.split('/')[0] ?? '', maxLength: 12 })
  .map((all) => all.map(([one, bytes]) => fileOf(one, bytes)));

describe('a manifest', () => {
  it('reads as it was written, with one name whatever the order of its files', () => {
    fc.assert(
      fc.property(files, (all) => {
        const bytes = encodeManifest(publisher, all);
        const read = parseManifest(text(bytes));
        expect(new Map(read.files.map((file) => [file.path, file]))).toEqual(
          new Map(all.map((file) => [file.path, file])),
        );
        expect(read.publisher).toBe(publisher.toLowerCase());
        expect(contentName(encodeManifest(publisher, [...all].reverse()))).toBe(contentName(bytes));
        expect(contentName(encodeManifest(`0x${'cd'.repeat(20)}`, all))).not.toBe(contentName(bytes));
      }),
    );
  });

  it('has one form: with any byte changed it is refused, or names something else', () => {
    const bytes = encodeManifest(publisher, [fileOf('a/b', 5), fileOf('c', CHUNK_BYTES + 1)]);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 127 }), (at, change) => {
        const other = Uint8Array.from(bytes, (byte, index) => (index === at ? byte ^ change : byte));
        try {
          expect(parseManifest(text(other))).not.toEqual(parseManifest(text(bytes)));
        } catch (error) {
          expect(isFailure(error, 'BAD_INPUT')).toBe(true);
        }
      }),
    );
    const spaced = `${text(bytes)} `;
    expect(() => parseManifest(spaced)).toThrow(/one form/);
  });

  it('is refused when its sizes and its chunks do not fit', () => {
    const one = fileOf('a', 5);
    expect(() => encodeManifest(publisher, [{ ...one, chunks: [] }])).toThrow(/do not fit/);
    expect(() => encodeManifest(publisher, [{ ...one, bytes: CHUNK_BYTES + 1 }])).toThrow(/do not fit/);
    const { chunks } = one;
    expect(() => encodeManifest(publisher, [one, { path: 'b', bytes: 6, chunks }])).toThrow(/two lengths/);
    expect(() => encodeManifest(publisher, [one, { ...one }])).toThrow(/one file/);
  });
});

describe('the pieces of a range', () => {
  it('are exactly its bytes, in order, whatever the range', () => {
    fc.assert(
      fc.property(size, fc.nat(5 * CHUNK_BYTES), fc.nat(5 * CHUNK_BYTES), (bytes, start, end) => {
        const file = fileOf('f', bytes);
        let at = Math.min(start, bytes);
        for (const piece of piecesOf(file, start, end)) {
          expect(piece.hash).toBe(file.chunks[piece.index]);
          expect(piece.bytes).toBe(chunkLength(bytes, piece.index));
          expect(piece.index * CHUNK_BYTES + piece.from).toBe(at);
          expect(piece.to).toBeGreaterThan(piece.from);
          expect(piece.to).toBeLessThanOrEqual(piece.bytes);
          at += piece.to - piece.from;
        }
        expect(at).toBe(Math.max(Math.min(start, bytes), Math.min(end, bytes)));
      }),
    );
  });

  it('count each chunk once, and tag equal files alike', () => {
    const one = fileOf('a', 2 * CHUNK_BYTES);
    expect(chunksOf([one, { ...one, path: 'b' }])).toHaveLength(2);
    expect(fileTag(one)).toBe(fileTag({ ...one, path: 'b' }));
    expect(fileTag(fileOf('a', 5))).toBe(fileOf('a', 5).chunks[0]);
    expect(fileTag(one)).not.toBe(fileTag({ ...one, chunks: [...one.chunks].reverse() }));
  });
});

describe('paths of published files', () => {
  const bad = [
    ...['', '/a', 'a/', 'a//b', '.', '..', '../a', 'a/../b', 'a/./b', './a', 'C:/a', 'c:a', 'a\\b', '\\\\server\\a'],
    ...[
      'con',
      'CON',
      'Con.txt',
      'a/nul',
      'nul.tar.gz',
      'aux .txt',
      'COM1',
      'com0.log',
      'lpt9',
      'COM¹',
      'conin$',
      'CONOUT$',
    ],
    ...['a.', 'a ', 'a./b', 'a\u0000', 'a\nb', 'a\u007f', 'a\u0085', 'a<b', 'a>b', 'a:b', 'a"b', 'a|b', 'a?', 'a*'],
    ...['e\u0301', '\ud800', 'a/\udfff', 'x'.repeat(256), 'é'.repeat(128), `${'x/'.repeat(600)}x`],
  ];
  it.each(bad.map((one) => [one]))('refuses %j', (one) => {
    expect(pathFault(one)).not.toBeNull();
    expect(() => encodeManifest(publisher, [fileOf(one, 1)])).toThrow(/cannot be published/);
  });

  const good = [
    'a',
    'a/b',
    '.well-known/x',
    '...x',
    'console.log',
    'com10',
    'null',
    'a b',
    'é',
    '日本/語',
    'x'.repeat(255),
    '~',
    '-rf',
  ];
  it.each(good.map((one) => [one]))('allows %j', (one) => expect(pathFault(one)).toBeNull());

  it('never lets anything out of its folder, on any system', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[./\\a:]{1,12}$/)), (one) => {
        if (pathFault(one) !== null) return;
        expect(new URL(`file:///base/${encodeURI(one)}`).pathname.startsWith('/base/')).toBe(true);
        expect(one.split(/[/\\]/)).not.toContain('..');
        expect(/^([/\\]|[a-z]:)/i.test(one)).toBe(false);
      }),
    );
  });

  it('are told apart by every system', () => {
    expect(collision(['a', 'b', 'a2/b'])).toBeNull();
    expect(collision(['Readme', 'README'])).toEqual(['Readme', 'README']);
    expect(collision(['straße', 'STRASSE'])).not.toBeNull();
    expect(collision(['ﬁle', 'file'])).not.toBeNull();
    expect(collision(['a', 'A/b'])).toEqual(['a', 'A/b']);
    expect(collision(['x/a/b/c', 'X/A'])).toEqual(['X/A', 'x/a/b/c']);
    fc.assert(
      fc.property(path, (one) => {
        expect(collision([one, one.toUpperCase()])).not.toBeNull();
        expect(collision([one, `${one}/x`])).not.toBeNull();
        expect(collision([one, `${one}x`])).toBeNull();
      }),
    );
  });
});
