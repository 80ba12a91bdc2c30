import { createServer, type Server } from 'node:http';
import { Interface } from 'ethers/abi';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { rpcChain } from '../../../agent/adapters/chain.ts';
import { DISTRIBUTOR_ABI, TOKEN_ABI } from '../../../core/abi.ts';
import type { Address, Hex32 } from '../../../core/primitives.ts';
import type { NetworkInfo } from '../../../core/wire.ts';

const request = z.object({ method: z.string(), params: z.array(z.unknown()) });
type Call = z.output<typeof request>;

const OWNER: Address = '0xAbCdEf0000000000000000000000000000000001';
const TX: Hex32 = `0x${'7'.repeat(64)}`;
let server: Server;
let network: Pick<NetworkInfo, 'rpcUrl' | 'token' | 'distributor'>;
let calls: Call[] = [];
let answer: (call: Call) => unknown = () => ({});

beforeEach(async () => {
  calls = [];
  server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const call = request.parse(JSON.parse(Buffer.concat(chunks).toString()));
    calls.push(call);
    outgoing.end(JSON.stringify({ jsonrpc: '2.0', id: 1, ...Object(answer(call)) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const at = server.address();
  const port = typeof at === 'object' && at !== null ? at.port : 0;
  network = { rpcUrl: `http://127.0.0.1:${port}`, token: `0x${'a'.repeat(40)}`, distributor: `0x${'b'.repeat(40)}` };
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

const info = (): NetworkInfo => network as NetworkInfo;

it('asks the contracts what their interfaces say', async () => {
  answer = () => ({ result: `0x${(10n ** 20n).toString(16).padStart(64, '0')}` });
  const chain = rpcChain();
  expect(await chain.balanceOf(info(), OWNER)).toBe(10n ** 20n);
  expect(await chain.claimedBy(info(), OWNER)).toBe(10n ** 20n);
  const asked = (to: string, data: string) => ({ method: 'eth_call', params: [{ to, data }, 'latest'] });
  expect(calls).toEqual([
    asked(network.token, new Interface(TOKEN_ABI).encodeFunctionData('balanceOf', [OWNER.toLowerCase()])),
    asked(network.distributor, new Interface(DISTRIBUTOR_ABI).encodeFunctionData('claimed', [OWNER.toLowerCase()])),
  ]);
});

it('calls the chain away when it refuses, answers no number, or nothing', async () => {
  const chain = rpcChain();
  answer = () => ({ error: { code: -32000, message: 'header not found' } });
  await expect(chain.balanceOf(info(), OWNER)).rejects.toMatchObject({
    code: 'CHAIN_AWAY',
    message: 'header not found',
  });
  // What a node answers for an address without a contract.
  answer = () => ({ result: '0x' });
  await expect(chain.balanceOf(info(), OWNER)).rejects.toMatchObject({ code: 'CHAIN_AWAY' });
  answer = () => ({});
  await expect(chain.balanceOf(info(), OWNER)).rejects.toMatchObject({ code: 'CHAIN_AWAY' });
  const gone = { ...info(), rpcUrl: 'http://127.0.0.1:9' };
  await expect(chain.balanceOf(gone, OWNER)).rejects.toMatchObject({ code: 'CHAIN_AWAY' });
});

it('confirms what was mined, refuses what reverted, and asks nothing once it is closed', async () => {
  const chain = rpcChain();
  answer = () => ({ result: { status: '0x1' } });
  await chain.confirm(info(), TX);
  expect(calls.at(-1)).toEqual({ method: 'eth_getTransactionReceipt', params: [TX] });
  answer = () => ({ result: { status: '0x0' } });
  await expect(chain.confirm(info(), TX)).rejects.toMatchObject({ code: 'REFUSED' });
  chain.close();
  await expect(chain.balanceOf(info(), OWNER)).rejects.toMatchObject({ code: 'CANCELLED' });
});
