import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Blobs } from '../../coordinator/blobs.ts';
import type { Hex32 } from '../../core/primitives.ts';

const MAX = 4_000_000;
const nameOf = (content: Uint8Array): Hex32 => `0x${createHash('sha256').update(content).digest('hex')}`;
async function* inPieces(content: Uint8Array, size = 100_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.byteLength; at += size) yield content.subarray(at, at + size);
}
/** Bytes that are no other's. */
const bytes = (size: number, seed: number) => Uint8Array.from({ length: size }, (_, at) => (at * 31 + seed * 7) & 255);
/** Stores keep an age to the second. */
const aWhile = () => new Promise((resolve) => setTimeout(resolve, 2_100));

/** What every store of blobs must do. */
export function blobsBehaviour(
  name: string,
  make: (maxBytes: number) => Promise<{ readonly blobs: Blobs; readonly clean: () => Promise<void> }>,
): void {
  describe(`blobs: ${name}`, () => {
    let store: Awaited<ReturnType<typeof make>>;
    let blobs: Blobs;
    beforeAll(async () => {
      store = await make(MAX);
      blobs = store.blobs;
    }, 60_000);
    afterAll(() => store.clean());

    const put = async (content: Uint8Array): Promise<Hex32> => {
      await blobs.write(nameOf(content), inPieces(content), MAX);
      return nameOf(content);
    };
    const contentOf = async (sha256: Hex32): Promise<Buffer> => {
      const pieces: Uint8Array[] = [];
      for await (const piece of blobs.read(sha256)) pieces.push(piece);
      return Buffer.concat(pieces);
    };

    test('gives back what was written, also a large one, one of nothing, and one that was written twice', async () => {
      for (const content of [bytes(3_000_000, 1), bytes(1, 2), new Uint8Array(), bytes(1, 2)]) {
        const sha256 = await put(content);
        expect(await blobs.size(sha256)).toBe(content.byteLength);
        expect((await contentOf(sha256)).equals(content)).toBe(true);
      }
      expect(await blobs.size(nameOf(bytes(5, 3)))).toBeNull();
    });

    test('refuses and does not keep what has another hash', async () => {
      const sha256 = nameOf(bytes(10, 4));
      await expect(blobs.write(sha256, inPieces(bytes(10, 5)), MAX)).rejects.toMatchObject({ code: 'REFUSED' });
      expect(await blobs.size(sha256)).toBeNull();
    });

    test('refuses what is larger than allowed without reading to its end', async () => {
      let read = 0;
      async function* endless(): AsyncGenerator<Uint8Array> {
        for (;;) {
          read += 1;
          yield bytes(1_000, 6);
        }
      }
      await expect(blobs.write(nameOf(bytes(9, 6)), endless(), 5_000)).rejects.toMatchObject({ code: 'REFUSED' });
      expect(read).toBe(6);
    });

    test('keeps nothing of what breaks off', async () => {
      const content = bytes(1_000, 7);
      async function* broken(): AsyncGenerator<Uint8Array> {
        yield content.subarray(0, 500);
        throw new Error('cut off');
      }
      await expect(blobs.write(nameOf(content), broken(), MAX)).rejects.toThrow('cut off');
      expect(await blobs.size(nameOf(content))).toBeNull();
    });

    test('drops what was not used since, but for what is needed or was renewed', async () => {
      const [old, needed, renewed] = [await put(bytes(20, 8)), await put(bytes(20, 9)), await put(bytes(20, 10))];
      await aWhile();
      const before = Date.now() - 1_000;
      await blobs.renew(renewed);
      const young = await put(bytes(20, 11));
      const dropped = await blobs.drop(before, new Set([needed]));
      expect(dropped).toContain(old);
      expect(await blobs.size(old)).toBeNull();
      for (const sha256 of [needed, renewed, young]) {
        expect(dropped).not.toContain(sha256);
        expect(await blobs.size(sha256)).toBe(20);
      }
      expect((await contentOf(renewed)).equals(bytes(20, 10))).toBe(true);
    });
  });
}
