import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { HDNodeWallet, Mnemonic } from 'ethers';
import { z } from 'zod';
import { fail } from '../core/errors.ts';
import type { Address, Hex32 } from '../core/primitives.ts';

/** Every number of milliseconds in which a changed chain is written to disk. */
const SAVE_EVERY_MS = 1_000;
const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 5_000;
// Known to everyone, as practice keys must be: the chain listens on loopback and its tokens are worth nothing.
const PHRASE = 'test test test test test test test test test test test junk';
const ACCOUNTS = 10;

export type AnvilOptions = {
  /** Its own folder: `state.json` and, while it runs, `anvil.json`. */
  readonly dataDir: string;
  /** 0 or absent: any free port. */
  readonly port?: number;
  readonly chainId?: number;
};

export type Anvil = {
  readonly rpcUrl: string;
  readonly chainId: number;
  readonly accounts: readonly { readonly address: Address; readonly privateKey: Hex32 }[];
  /** Writes the chain to disk, then ends the process. */
  readonly stop: () => Promise<void>;
};

const running = z.object({ pid: z.number().int().positive(), port: z.number().int().positive(), chainId: z.number() });

/**
 * A practice chain on loopback that mines each transaction at once and outlives its process: its state is saved every
 * second and on `stop`. An anvil left behind by a killed parent is taken over, so that nothing mined is lost.
 * Throws CHAIN_AWAY when it cannot be started.
 */
export async function startAnvil(options: AnvilOptions): Promise<Anvil> {
  const { dataDir, chainId = 31337 } = options;
  await mkdir(dataDir, { recursive: true });
  const statePath = join(dataDir, 'state.json');
  const runningPath = join(dataDir, 'anvil.json');
  const process_ = (await adopt(runningPath, chainId)) ?? (await launch(options, chainId, statePath, runningPath));
  const { rpcUrl } = process_;

  let savedBlock = '';
  let saving: Promise<void> = Promise.resolve();
  const save = (): Promise<void> => {
    saving = saving.then(async () => {
      const block = await rpc(rpcUrl, 'eth_blockNumber', []);
      if (block === savedBlock) return;
      const dump = await rpc(rpcUrl, 'anvil_dumpState', []);
      await writeDurably(statePath, await promisify(gunzip)(Buffer.from(dump.slice(2), 'hex')));
      savedBlock = block;
    });
    return saving;
  };
  // A save that fails is tried again a second later; the last one, in stop, is the one that counts.
  const timer = setInterval(() => void save().catch(() => (saving = Promise.resolve())), SAVE_EVERY_MS);
  timer.unref();

  return {
    rpcUrl,
    chainId,
    accounts: practiceAccounts(),
    async stop() {
      clearInterval(timer);
      await save().catch(() => undefined);
      await process_.end();
      await rm(runningPath, { force: true });
    },
  };
}

type Process = { readonly rpcUrl: string; readonly end: () => Promise<void> };

const urlOf = (port: number): string => `http://127.0.0.1:${port}`;

async function launch(
  options: AnvilOptions,
  chainId: number,
  statePath: string,
  runningPath: string,
): Promise<Process> {
  const port = options.port === undefined || options.port === 0 ? await freePort() : options.port;
  const hasState = (await readFile(statePath).catch(() => null)) !== null;
  const child = spawn(
    binary(),
    [
      ...['--quiet', '--host', '127.0.0.1', '--port', String(port), '--chain-id', String(chainId)],
      ...['--accounts', String(ACCOUNTS), '--mnemonic', PHRASE],
      ...(hasState ? ['--load-state', statePath] : []),
    ],
    // Its own process group: an interrupt from the terminal must not end the chain before it is saved.
    { detached: process.platform !== 'win32', stdio: ['ignore', 'ignore', 'pipe'], windowsHide: true },
  );
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-2_000);
  });
  let ended = false;
  child.once('exit', () => {
    ended = true;
  });
  child.once('error', (error) => {
    ended = true;
    complaint = error.message;
  });
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!ended && Date.now() < deadline) {
    if (await answers(urlOf(port), chainId)) {
      await writeDurably(runningPath, JSON.stringify({ pid: child.pid, port, chainId }));
      child.unref();
      if ('unref' in child.stderr && typeof child.stderr.unref === 'function') child.stderr.unref();
      return { rpcUrl: urlOf(port), end: () => endChild(child) };
    }
    await pause(25);
  }
  child.kill('SIGKILL');
  fail('CHAIN_AWAY', `anvil did not start on port ${port}: ${complaint.trim() || 'no answer within 20 s'}`, { port });
}

async function adopt(runningPath: string, chainId: number): Promise<Process | null> {
  const text = await readFile(runningPath, 'utf8').catch(() => null);
  if (text === null) return null;
  const left = running.safeParse(parseJson(text));
  if (!left.success || left.data.chainId !== chainId) return null;
  const { pid, port } = left.data;
  if (!isAlive(pid) || !(await answers(urlOf(port), chainId))) return null;
  return {
    rpcUrl: urlOf(port),
    async end() {
      signal(pid, 'SIGTERM');
      const deadline = Date.now() + STOP_TIMEOUT_MS;
      while (isAlive(pid) && Date.now() < deadline) await pause(20);
      if (isAlive(pid)) signal(pid, 'SIGKILL');
    },
  };
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(timer);
}

/** The binary that npm installed for this system, run directly: the package's own starter would be one process more. */
function binary(): string {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  const name = `@foundry-rs/anvil-${process.platform}-${arch}`;
  const file = process.platform === 'win32' ? 'anvil.exe' : 'anvil';
  try {
    return createRequire(import.meta.url).resolve(`${name}/bin/${file}`);
  } catch (error) {
    fail('CHAIN_AWAY', `${name} is not installed; run npm ci (or this system has no practice chain)`, {}, error);
  }
}

function practiceAccounts(): Anvil['accounts'] {
  const root = HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(PHRASE), "m/44'/60'/0'/0");
  return Array.from({ length: ACCOUNTS }, (_, index) => {
    const { address, privateKey } = root.deriveChild(index);
    return { address: address.toLowerCase() as Address, privateKey: privateKey as Hex32 };
  });
}

const rpcAnswer = z.object({ result: z.string() });

async function rpc(rpcUrl: string, method: string, params: readonly unknown[]): Promise<string> {
  const response = await fetch(rpcUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    signal: AbortSignal.timeout(10_000),
  });
  return rpcAnswer.parse(await response.json()).result;
}

async function answers(rpcUrl: string, chainId: number): Promise<boolean> {
  try {
    const version = await rpc(rpcUrl, 'web3_clientVersion', []);
    return version.startsWith('anvil/') && Number(await rpc(rpcUrl, 'eth_chainId', [])) === chainId;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : fail('INTERNAL', 'no free port');
}

// A torn state file would lose the chain: written aside, flushed, then renamed.
async function writeDurably(path: string, data: string | Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`;
  const file = await open(temporary, 'w');
  try {
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

function isAlive(pid: number): boolean {
  return signal(pid, 0);
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
