import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startTestChain, type TestChain } from './chain.ts';
import { newStore, type Store } from './store.ts';

const SCRIPT = join(import.meta.dirname, 'coordinator-process.ts');

/** A coordinator in a process of its own, with a real chain and its folder, to be killed and started again at the same address. */
export class ChildCoordinator {
  readonly chain: TestChain;
  readonly dataDir: string;
  readonly #store: Store;
  /** What `coordinator-process.ts` is told beyond where everything is. */
  readonly #more: Readonly<Record<string, unknown>>;
  #child: ChildProcess | null = null;
  url = '';

  private constructor(chain: TestChain, dataDir: string, store: Store, more: Readonly<Record<string, unknown>>) {
    this.chain = chain;
    this.dataDir = dataDir;
    this.#store = store;
    this.#more = more;
  }

  static async start(more: Readonly<Record<string, unknown>> = {}): Promise<ChildCoordinator> {
    const dataDir = await mkdtemp(join(tmpdir(), 'idlemesh-killed-'));
    const child = new ChildCoordinator(await startTestChain(), dataDir, await newStore(), more);
    await child.again();
    return child;
  }

  async again(): Promise<void> {
    const port = this.url === '' ? 0 : Number(new URL(this.url).port);
    const { rpcUrl, chainId, token, distributor, publisher } = this.chain;
    const { databaseUrl } = this.#store;
    const place = { dataDir: this.dataDir, databaseUrl, port, rpcUrl, chainId, token, distributor, publisher };
    const options = JSON.stringify({ ...this.#more, ...place });
    this.#child = spawn(process.execPath, [SCRIPT, options], { stdio: ['ignore', 'pipe', 'inherit'] });
    const output = this.#child.stdout;
    if (output === null) throw new Error('no output');
    const [line] = await once(createInterface(output), 'line');
    this.url = String(line);
  }

  signal(name: 'SIGTERM' | 'SIGKILL'): void {
    this.#child?.kill(name);
  }

  /** Its status and how long it took until then, once it has ended. */
  async exit(): Promise<{ readonly code: number | null; readonly ms: number }> {
    const child = this.#child;
    if (child === null) throw new Error('no coordinator runs');
    const from = performance.now();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    this.#child = null;
    return { code: child.exitCode, ms: performance.now() - from };
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    if (this.#child === null) return;
    this.signal('SIGKILL');
    await this.exit();
  }

  async stop(): Promise<void> {
    await this.kill();
    await this.chain.stop();
    await this.#store.drop();
    await rm(this.dataDir, { recursive: true, force: true });
  }
}
