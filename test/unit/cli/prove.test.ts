import { expect, test } from 'vitest';
import { proofLines } from '../../../cli/prove.ts';
import { textIn } from '../../../core/text/index.ts';
import { attempt, proofWith } from '../../support/proof.ts';

const text = textIn('en');

test('what held is said in a line for each group', () => {
  const proof = proofWith([attempt('vsock', { outcome: 'unavailable' })]);
  const lines = proofLines(proof, text);
  expect(lines).toHaveLength(7);
  expect(lines[0]).toBe('✓ Your network: 21 of 21 stopped');
  expect(lines.at(-1)).toBe(text.window.proof.safe(proof.tried));
});

test('what got out is named', () => {
  const proof = proofWith([attempt('route', { outcome: 'escaped', tried: 'add a route', detail: 'done' })]);
  expect(proofLines(proof, text).slice(0, 2)).toEqual([
    '✗ Your network: 21 of 22 stopped',
    '    Got out: change where traffic goes (add a route: done)',
  ]);
  expect(proofLines(proof, text).at(-1)).toBe(text.window.proof.advice);
});

test('a probe that did not answer is named', () => {
  const lines = proofLines({ ...proofWith(), missing: ['bpf'] }, textIn('ja'));
  expect(lines.slice(-2)).toEqual([
    textIn('ja').window.proof.unfinished(1),
    `    ${textIn('ja').window.proof.probes.bpf}`,
  ]);
});
