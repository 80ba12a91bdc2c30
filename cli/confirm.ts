import { createInterface } from 'node:readline/promises';
import { plainText } from '../core/plain-text.ts';

/** Asks on a terminal; where nobody can answer, who called has agreed already. */
export async function confirmed(question: string, yes: boolean): Promise<boolean> {
  if (yes || process.stdin.isTTY !== true || process.stderr.isTTY !== true) return true;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // While it asks, the terminal hands Ctrl-C to this and not to the process.
  const ending = new AbortController();
  terminal.once('SIGINT', () => ending.abort());
  try {
    const answer = await terminal.question(plainText(`${question} [y/N] `), { signal: ending.signal });
    return /^y(es)?$/i.test(answer.trim());
  } catch {
    return false;
  } finally {
    terminal.close();
  }
}
