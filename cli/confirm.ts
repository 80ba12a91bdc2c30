import { createInterface } from 'node:readline/promises';
import { plainText } from '../core/plain-text.ts';

/** Asks on a terminal; where nobody can answer, who called has agreed already. */
export async function confirmed(question: string, yes: boolean): Promise<boolean> {
  if (yes || process.stdin.isTTY !== true || process.stderr.isTTY !== true) return true;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(plainText(`${question} [y/N] `))).trim());
  } finally {
    terminal.close();
  }
}
