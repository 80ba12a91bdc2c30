import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { plainJson, plainText } from '../../../core/plain-text.ts';

const OBEYED: readonly [string, string][] = [
  ['clears the screen', '\u001b[2J\u001b[H'],
  ['sets the title of the window', '\u001b]0;Idlemesh: all is well\u0007'],
  ['begins a command with one character of the second set', '\u009b31m'],
  ['writes over what stands there', 'exit code 1\rdone'],
  ['rubs out', 'bad\b\b\bgood\u007f'],
  ['turns the direction around', 'photo\u202egpj.exe'],
  ['ends it for a database', 'text\u0000'],
  ['hides in what cannot be seen', 'pay\u200bpal\u{e0041}\u2066'],
  ['begins a new record', 'ended\n{"level":"info","event":"forged"}\u2028'],
];

describe('a text that', () => {
  test.each(OBEYED)('%s does it no more', (_what, text) => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
    expect(plainText(text)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066]|\u{e0041}/u);
    const json = plainJson(JSON.stringify({ text }));
    expect(plainText(json)).toBe(json);
    expect(JSON.parse(json)).toEqual({ text });
  });
});

test('text in any language that can be seen stays as it is', () => {
  for (const text of ['it ran out of memory', '空き容量が足りません', 'Größe: 3 µs – “ok”', '🙂 עברית العربية'])
    expect(plainText(text)).toBe(text);
});

test('halves of characters are no text', () => {
  expect(plainText('a\ud83d')).toBe('a\ufffd');
});

test('whatever it says, a text has one line, stays what it is the second time, and JSON reads back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
      const plain = plainText(text);
      expect(plainText(plain)).toBe(plain);
      expect(plain.split(/\r|\n/)).toHaveLength(1);
      expect(JSON.parse(plainJson(JSON.stringify(text)))).toBe(text);
    }),
    { numRuns: 2_000 },
  );
});
