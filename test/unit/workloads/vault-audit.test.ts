import { expect, test } from 'vitest';
import { fromHex } from '../../../core/keccak.ts';
import { answerOf, positionsOf } from '../../../workloads/vault/audit.mjs';
import { auditData, auditVectors } from '../../vectors/index.ts';

/** The same bytes in shards of so many. */
function sharded(data: Uint8Array, shardBytes: number) {
  const pieces = new Map<string, Uint8Array>();
  for (let from = 0; from < data.length; from += shardBytes)
    pieces.set(String(from), data.subarray(from, from + shardBytes));
  const shards = [...pieces].map(([hash, { length }]) => ({ hash, bytes: length }));
  const open = async (hash: string) => {
    const piece = pieces.get(hash);
    if (piece === undefined) throw new Error('gone');
    return {
      read: async (into: Uint8Array, at: number) => {
        const part = piece.subarray(at, at + into.length);
        into.set(part);
        return part.length;
      },
      close: async () => undefined,
    };
  };
  return { pieces, shards, open };
}

test.each(auditVectors)('an audit of $totalBytes bytes reads what the vectors read', (vector) => {
  const { seed, totalBytes, blocks, blockBytes, positions } = vector;
  expect(positionsOf(fromHex(seed), totalBytes, blocks, blockBytes)).toEqual(positions);
});

const answered = auditVectors.flatMap((vector) =>
  vector.answer === null ? [] : [{ ...vector, answer: vector.answer }],
);
test.each(answered)(
  'an audit of $totalBytes bytes in shards of any size has the answer of the vectors',
  async (vector) => {
    const { seed, totalBytes, blocks, blockBytes, answer } = vector;
    for (const shardBytes of [700, 1024, 4096, 1_000_000]) {
      const { shards, open } = sharded(auditData(totalBytes), shardBytes);
      const said = await answerOf({ shards, seed: fromHex(seed), blocks, blockBytes }, open);
      expect(`0x${said?.toString('hex')}`).toBe(answer);
    }
  },
);

test('whoever lacks a block that is asked for has no answer, and no data has none either', async () => {
  const { shards, open, pieces } = sharded(auditData(64 * 1024), 1024);
  const question = { shards, seed: new Uint8Array(32).fill(9), blocks: 512, blockBytes: 1024 };
  expect(await answerOf(question, open)).toHaveLength(32);
  pieces.delete('2048');
  expect(await answerOf(question, open)).toBeNull();
  pieces.set('2048', new Uint8Array(1023));
  expect(await answerOf(question, open)).toBeNull();
  expect(await answerOf({ ...question, shards: [] }, open)).toBeNull();
});
