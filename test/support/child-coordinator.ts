import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fail } from '../../core/errors.ts';
import type { TestChain } from './chain.ts';
import type { Store } from './store.ts';

const SCRIPT = join(import.meta.dirname, 'coordinator-process.ts');

type Options = {
  readonly dataDir: string;
  readonly store: Store;
  readonly chain: TestChain;
  readonly drainMs?: number;
};

/** A coordinator in a process of its own, which a test ends as it likes. It comes back where it was. */
export class ChildCoordinator {
  readonly #options: Options;
  #child: ChildProcess | null = null;
  #url = '';

  constructor(options: Options) {
    this.#options = options;
  }

  get url(): string {
    return this.#url;
  }

  async start(): Promise<void> {
    const { dataDir, store, chain, drainMs } = this.#options;
    const port = this.#url === '' ? 0 : Number(new URL(this.#url).port);
    const { rpcUrl, chainId, token, distributor, publisher } = chain;
    const { databaseUrl } = store;
    const network = { rpcUrl, chainId, token, distributor, publisher };
    const options = JSON.stringify({ dataDir, databaseUrl, port, drainMs, ...network });
    const child = spawn(process.execPath, [SCRIPT, options], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    const [line] = await once(createInterface(child.stdout), 'line');
    this.#url = String(line);
  }

  signal(name: 'SIGTERM' | 'SIGKILL'): void {
    this.#child?.kill(name);
  }

  /** Its status and how long it took until then, once it has ended. */
  async exit(): Promise<{ readonly code: number | null; readonly ms: number }> {
    const child = this.#child ?? fail('INTERNAL', 'no coordinator runs');
    const from = performance.now();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    this.#child = null;
    return { code: child.exitCode, ms: performance.now() - from };
  }

  async kill(): Promise<void> {
    if (this.#child === null) return;
    this.signal('SIGKILL');
    await this.exit();
  }
}
