import fc from 'fast-check';
import { expect, test } from 'vitest';
import { answersCommitment, auditAnswer, auditPositions } from '../../../core/audit.ts';
import { fromHex, sha256, toHex } from '../../../core/keccak.ts';
import { auditData, auditVectors } from '../../vectors/index.ts';

test.each(auditVectors)('an audit of $totalBytes bytes is that of the vectors', (vector) => {
  const { seed, totalBytes, positions, answer, ...rule } = vector;
  expect([...auditPositions(fromHex(seed), totalBytes, sha256, rule)]).toEqual(positions);
  if (answer !== null) expect(toHex(auditAnswer(fromHex(seed), auditData(totalBytes), sha256, rule))).toBe(answer);
});

test('positions are distinct, ascending and within the data', () => {
  const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
  fc.assert(
    fc.property(seeds, fc.integer({ min: 1, max: 2 ** 45 }), (seed, totalBytes) => {
      const positions = auditPositions(seed, totalBytes, sha256, { blocks: 20, blockBytes: 1024 });
      const count = Math.ceil(totalBytes / 1024);
      expect(positions.length).toBe(Math.min(20, count));
      expect(new Set(positions).size).toBe(positions.length);
      expect([...positions]).toEqual([...positions].sort((a, b) => a - b));
      expect(positions.at(-1)).toBeLessThan(count);
    }),
    { numRuns: 50 },
  );
});

test('an answer is right only when every block that was asked for is', () => {
  const rule = { blocks: 20, blockBytes: 64 };
  const data = auditData(40 * rule.blockBytes + 7);
  const seed = new Uint8Array(32).fill(3);
  const commitment = sha256(auditAnswer(seed, data, sha256, rule));
  expect(answersCommitment(auditAnswer(seed, data, sha256, rule), commitment, sha256)).toBe(true);
  const asked = auditPositions(seed, data.length, sha256, rule);
  for (let block = 0; block <= 40; block++) {
    const damaged = data.slice();
    damaged.fill(1, block * rule.blockBytes, (block + 1) * rule.blockBytes);
    const answer = auditAnswer(seed, damaged, sha256, rule);
    expect(answersCommitment(answer, commitment, sha256)).toBe(!asked.includes(block));
  }
});

test('an answer of any other length is none', () => {
  const answer = sha256(new Uint8Array(1));
  for (const wrong of [new Uint8Array(0), answer.subarray(1), new Uint8Array(64)]) {
    expect(answersCommitment(wrong, sha256(wrong), sha256)).toBe(false);
  }
  expect(answersCommitment(answer, sha256(answer).subarray(1), sha256)).toBe(false);
});
