import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { ROOT } from './app.ts';

const readyLine = z.object({ ready: z.literal(true), coordinatorUrl: z.url(), rpcUrl: z.url() });

/** Runs the `idlemesh` command in a process of its own. */
export function idlemesh(words: readonly string[]): ChildProcess {
  return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'cli/index.ts', ...words], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** What a finished command said. */
export async function output(child: ChildProcess): Promise<{ readonly code: number | null; readonly said: string }> {
  let said = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, said };
}

/** A practice network: coordinator and chain on loopback, in a process of its own. */
export class PracticeNetwork {
  readonly coordinatorUrl: string;
  readonly rpcUrl: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, coordinatorUrl: string, rpcUrl: string) {
    this.#child = child;
    this.coordinatorUrl = coordinatorUrl;
    this.rpcUrl = rpcUrl;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  static async start(dataDir: string, words: readonly string[] = []): Promise<PracticeNetwork> {
    const child = idlemesh(['practice', '--data', dataDir, ...words]);
    let trouble = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      trouble = (trouble + chunk.toString()).slice(-4000);
    });
    if (child.stdout === null) throw new Error('no output to read');
    for await (const line of createInterface({ input: child.stdout })) {
      const ready = readyLine.safeParse(parsed(line));
      if (!ready.success) continue;
      child.stdout.resume();
      return new PracticeNetwork(child, ready.data.coordinatorUrl, ready.data.rpcUrl);
    }
    throw new Error(`the practice network did not come up:\n${trouble}`);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 15_000);
    await ended;
    clearTimeout(timer);
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
