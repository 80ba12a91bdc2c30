import { Failure } from '../../core/errors.ts';
import type { OutputSource, VerifierTask } from '../../core/verifier.ts';

/** Without an engine: what test/images/verifier answers, as it would be answered. */
export class FakeVerifier {
  asked = 0;
  /** Throws this instead. */
  trouble: Failure | null = null;
  /** Answers only when it is let go. */
  held: Promise<void> | null = null;

  run = async ({ verifier, outputs }: VerifierTask, signal: AbortSignal): Promise<number> => {
    const gone = new Promise<never>((_resolve, reject) => {
      const stop = () => reject(new Failure('CANCELLED', 'nobody waits for the answer any more'));
      if (signal.aborted) stop();
      signal.addEventListener('abort', stop);
    });
    gone.catch(() => undefined);
    this.asked += 1;
    if (this.held !== null) await Promise.race([this.held, gone]);
    if (this.trouble !== null) throw this.trouble;
    const [first, second] = await Promise.all(outputs.map(lowerCase));
    if (first?.startsWith('hangs')) {
      const late = new Promise<number>((resolve) => setTimeout(() => resolve(-1), verifier.limits.seconds * 1000));
      return await Promise.race([late, gone]);
    }
    if (signal.aborted) return await gone;
    if (/^(crash|doubt|greed|floor)/.test(first ?? '')) return -1;
    return first === second ? 0 : 1;
  };
}

async function lowerCase({ read }: OutputSource): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of read()) parts.push(part);
  return Buffer.concat(parts).toString('latin1').toLowerCase();
}
