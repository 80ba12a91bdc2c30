import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JsonRpcProvider } from 'ethers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Anvil, startAnvil } from '../../../contracts/anvil.ts';
import { until } from '../../support/wait.ts';

const SOMEONE = `0x${'5'.repeat(40)}`;

describe('the practice chain', () => {
  let dataDir: string;
  const started: Anvil[] = [];
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'idlemesh-anvil-'));
  });
  afterEach(async () => {
    for (const anvil of started.splice(0)) await anvil.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  const start = async (): Promise<Anvil> => {
    const anvil = await startAnvil({ dataDir });
    started.push(anvil);
    return anvil;
  };
  async function on<T>(anvil: Anvil, use: (provider: JsonRpcProvider) => Promise<T>): Promise<T> {
    const provider = new JsonRpcProvider(anvil.rpcUrl, anvil.chainId, { staticNetwork: true, cacheTimeout: -1 });
    try {
      return await use(provider);
    } finally {
      provider.destroy();
    }
  }
  const pay = (anvil: Anvil) =>
    on(anvil, async (provider) => {
      const [from] = anvil.accounts;
      await provider.send('eth_sendTransaction', [{ from: from?.address, to: SOMEONE, value: '0x7' }]);
    });
  const saved = () => readFile(join(dataDir, 'state.json'), 'utf8').catch(() => '');
  const balance = (anvil: Anvil) => on(anvil, (provider) => provider.getBalance(SOMEONE));

  it('mines each transaction at once and keeps its state over a stop', async () => {
    const first = await start();
    await pay(first);
    expect(await balance(first)).toBe(7n);
    await first.stop();
    await expect(fetch(first.rpcUrl)).rejects.toThrow();
    const second = await start();
    expect(await balance(second)).toBe(7n);
    expect(await on(second, (provider) => provider.getBlockNumber())).toBe(1);
    expect(second.accounts).toEqual(first.accounts);
  });

  it('loses nothing that was saved when it is killed', async () => {
    const first = await start();
    await pay(first);
    await until('the save', async () => (await saved()).includes(SOMEONE));
    const text = await readFile(join(dataDir, 'anvil.json'), 'utf8');
    process.kill(z.object({ pid: z.number() }).parse(JSON.parse(text)).pid, 'SIGKILL');
    await until('its end', () =>
      fetch(first.rpcUrl).then(
        () => false,
        () => true,
      ),
    );
    expect(await balance(await start())).toBe(7n);
  });

  it('is taken over when its parent left it behind', async () => {
    const left = await start();
    await pay(left);
    const taken = await start();
    expect(taken.rpcUrl).toBe(left.rpcUrl);
    expect(await balance(taken)).toBe(7n);
    await taken.stop();
    await expect(fetch(left.rpcUrl)).rejects.toThrow();
  });
});
