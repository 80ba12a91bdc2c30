import { Wallet } from 'ethers';
import { expect, test } from 'vitest';
import { fastKeccak } from '../../../coordinator/keccak.ts';
import { SignatureChecks } from '../../../coordinator/signature-checks.ts';
import { Signer } from '../../../coordinator/signing.ts';
import { ZERO_HASH } from '../../../core/primitives.ts';
import { digestOf, domainOf, fieldsOf } from '../../../core/typed-data.ts';

const SECRET = `0x${'22'.repeat(32)}`;
const domain = domainOf(5, `0x${'33'.repeat(20)}`);
const signer = new Signer(SECRET, domain);
const value = { device: signer.address, resultsHash: ZERO_HASH, resultCount: 1 };
const NOTHING = `0x${'00'.repeat(65)}` as const;

async function stage() {
  const checks = new SignatureChecks(domain, await fastKeccak());
  const good = await signer.sign('Results', value);
  const ask = (peer: object, signature = good) => checks.check(peer, 'Results', value, signature, signer.address);
  return { good, ask };
}

test('answers the digest that was signed, and refuses who did not sign', async () => {
  const { ask } = await stage();
  expect(await ask({})).toBe(digestOf(domain, 'Results', value));
  await expect(ask({}, NOTHING)).rejects.toMatchObject({ code: 'UNAUTHORISED' });
});

test('the coordinator’s own signature is the one that ethers makes', async () => {
  const wallet = new Wallet(SECRET);
  expect(signer.address).toBe(wallet.address.toLowerCase());
  expect(await signer.sign('Results', value)).toBe(await wallet.signTypedData(domain, fieldsOf('Results'), value));
});

test('a peer with a flood of bad ones waits for its own, and nobody else waits for it', async () => {
  const { ask, good } = await stage();
  const [flood, honest] = [{}, {}];
  const order: string[] = [];
  const note = (who: string) => () => void order.push(who);
  const bad = Array.from({ length: 500 }, () => ask(flood, NOTHING).catch(note('bad')));
  const fine = Array.from({ length: 5 }, () => ask(honest, good).then(note('good')));
  await Promise.all([...bad, ...fine]);
  expect(order).toHaveLength(505);
  expect(order.lastIndexOf('good')).toBeLessThan(12);
});

test('what else there is to do has its turn between a few checks, and each peer’s are in order', async () => {
  const { ask } = await stage();
  const peer = {};
  const order: number[] = [];
  let turns = 0;
  let over = false;
  const turn = (): void => {
    turns += 1;
    if (!over) setImmediate(turn);
  };
  setImmediate(turn);
  await Promise.all(Array.from({ length: 320 }, (_, at) => ask(peer).then(() => order.push(at))));
  over = true;
  expect(turns).toBeGreaterThanOrEqual(9);
  expect(order).toEqual(order.map((_, at) => at));
});
