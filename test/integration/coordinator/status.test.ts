import { createServer } from 'node:http';
import { StandardMerkleTree } from '@openzeppelin/merkle-tree';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adminAnswer } from '../../../core/admin.ts';
import { verifyProof } from '../../../core/merkle.ts';
import { parseTokens } from '../../../core/money.ts';
import { epochPage, leafPage, type NetworkStatus, networkStatus } from '../../../core/status.ts';
import { adminOrder } from '../../support/admin.ts';
import { newAccount } from '../../support/chain.ts';
import { post, type TestConsumer, type TestDevice } from '../../support/device.ts';
import { earn } from '../../support/earn.ts';
import { PRICE, TestNetwork } from '../../support/network.ts';
import { runCli } from '../../support/run-cli.ts';
import { until } from '../../support/wait.ts';

const EVIL = '<script>alert(1)</script>"\'&';

describe('what a network tells everybody', () => {
  const admin = newAccount();
  let network: TestNetwork;
  let consumer: TestConsumer;
  let devices: readonly TestDevice[];
  beforeAll(async () => {
    network = await TestNetwork.start({ admins: [admin.address], name: `Attic ${EVIL}` });
    consumer = await network.consumer(parseTokens('100'));
    devices = [await network.device(0), await network.device(0), await network.device(0)];
    let done = 0;
    for (const [at, device] of devices.entries()) {
      const items = [];
      for (let job = 0; job <= at; job++) items.push((await earn(consumer, device, `${at} ${job}`)).item);
      await device.report(items);
      device.send({ type: 'ready', lane: 'cpu', slots: 0 });
      done += items.length;
      const owed = PRICE * BigInt(done);
      await until('the root', async () => (await latest()).total === owed && (await latest()).txHash !== null);
    }
    const order = { action: 'disable', subject: 'echo@1.0.0', why: EVIL, issuedAt: Date.now() } as const;
    await post(`${network.url}/v1/admin/actions`, await adminOrder(network.coordinator.network, admin, order));
    const ban = { action: 'ban', subject: newAccount().address, why: 'noise', issuedAt: Date.now() + 1 } as const;
    await post(`${network.url}/v1/admin/actions`, await adminOrder(network.coordinator.network, admin, ban));
  }, 120_000);
  afterAll(() => network.stop());

  const get = (path: string) => fetch(`${network.url}${path}`);
  const latest = async () => {
    const { epochs } = epochPage.parse(await (await get('/v1/epochs')).json());
    return epochs[0] ?? { epoch: 0, total: 0n, txHash: null, owners: 0, root: '0x' };
  };
  const status = async (): Promise<NetworkStatus> => networkStatus.parse(await (await get('/v1/status')).json());
  /** What the contract itself has. */
  const onChain = async (epoch: number): Promise<{ readonly root: string; readonly total: bigint }> =>
    await network.chain
      .distributorAs(network.chain.deployer)
      .getFunction('rootAt')
      .staticCall(epoch - 1);

  it('is enough to build the root on chain again, with nothing but the published file and another’s library', async () => {
    const { epochs } = epochPage.parse(await (await get('/v1/epochs')).json());
    expect(epochs.length).toBeGreaterThanOrEqual(3);
    expect(epochs[0]?.owners).toBe(3);
    for (const { epoch, total } of epochs) {
      const answer = await get(`/v1/epochs/${epoch}/leaves.csv`);
      expect(answer.headers.get('content-type')).toContain('text/csv');
      expect(answer.headers.get('content-disposition')).toContain(`epoch-${epoch}.csv`);
      const [head, ...lines] = (await answer.text()).trimEnd().split('\r\n');
      expect(head).toBe('owner,cumulative,leaf,proof');
      const rows = lines.map((line) => line.split(','));
      const tree = StandardMerkleTree.of(
        rows.map(([owner, cumulative]) => [owner, cumulative]),
        ['address', 'uint256'],
      );
      const { root, total: promised } = await onChain(epoch);
      expect(tree.root).toBe(root);
      expect(rows.reduce((sum, [, cumulative]) => sum + BigInt(cumulative ?? ''), 0n)).toBe(promised);
      expect(total).toBe(promised);
      for (const [owner, cumulative, leaf, proof = ''] of rows) {
        const value = [owner, cumulative];
        const path = proof === '' ? [] : proof.split(' ');
        expect(tree.leafHash(value)).toBe(leaf);
        expect(StandardMerkleTree.verify(root, ['address', 'uint256'], value, path)).toBe(true);
      }
    }
  });

  it('is audited by one command, which says so when the chain has another root', async () => {
    const { epoch } = await latest();
    const good = await runCli(['audit', '--coordinator', network.url]);
    expect(good).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse(good.out)).toMatchObject({ epoch, owners: 3, agrees: true });
    const first = await runCli(['audit', '1', '--coordinator', network.url, '--rpc', network.chain.rpcUrl]);
    expect(JSON.parse(first.out)).toMatchObject({ epoch: 1, owners: 1, agrees: true });
    // A coordinator that tells of another data set than the one it published.
    const liar = createServer(async (request, response) => {
      const told = await (await get(request.url ?? '/')).text();
      response.end(told.replace(/("cumulative":")(\d)/, (_all, key, digit) => `${key}${(Number(digit) % 9) + 1}`));
    });
    await new Promise<void>((resolve) => liar.listen(0, '127.0.0.1', resolve));
    const at = liar.address();
    const url = `http://127.0.0.1:${typeof at === 'object' ? at?.port : 0}`;
    const bad = await runCli(['audit', '--coordinator', url]);
    liar.close();
    expect(bad.code).toBe(1);
    expect(JSON.parse(bad.out)).toMatchObject({ epoch, agrees: false });
  }, 60_000);

  it('has the same leaves as JSON, each with a proof that leads to the root', async () => {
    const { epoch, root } = await latest();
    const page = leafPage.parse(await (await get(`/v1/epochs/${epoch}/leaves`)).json());
    expect(page).toMatchObject({ epoch, root, next: null });
    expect(page.leaves).toHaveLength(3);
    for (const { proof, leaf: _leaf, ...entitlement } of page.leaves)
      expect(verifyProof(page.root, entitlement, proof)).toBe(true);
    const rest = leafPage.parse(await (await get(`/v1/epochs/${epoch}/leaves?from=2`)).json());
    expect(rest.leaves).toEqual(page.leaves.slice(2));
    expect((await get('/v1/epochs/999/leaves')).status).toBe(404);
    expect((await get('/v1/epochs/999/leaves.csv')).status).toBe(404);
    expect((await get('/v1/epochs/0/leaves')).status).toBe(400);
  });

  it('says its state, and that the books balance', async () => {
    await until('the days', async () => (await status()).days[0]?.accepted === 6);
    const found = await status();
    expect(found).toMatchObject({ notReady: null, coordinators: 1, devices: 3, openJobs: 0, heldLeases: 0 });
    expect(found.days).toEqual([{ day: new Date().toISOString().slice(0, 10), accepted: 6, rejected: 0 }]);
    const { totals, recountedAt, balancedSince, owners } = found.books;
    expect(owners).toBe(3);
    expect(balancedSince ?? 0).toBeGreaterThan(0);
    expect(recountedAt ?? 0).toBeGreaterThan(balancedSince ?? 0);
    expect(Object.keys(totals)).toHaveLength(10);
    expect(Object.values(totals).reduce((sum, one) => sum + BigInt(one), 0n)).toBe(0n);
    expect(found.disabled).toMatchObject([{ workload: 'echo', version: '1.0.0', why: EVIL }]);
    expect(found.actions).toMatchObject([
      { action: 'ban', subject: null, why: 'noise' },
      { action: 'disable', subject: 'echo@1.0.0', why: EVIL },
    ]);
  });

  it('names nobody outside the data sets of epochs', async () => {
    const people = [consumer.account.address, ...devices.flatMap(({ owner, key }) => [owner.address, key.address])];
    for (const path of ['/', '/v1/status', '/v1/epochs', '/v1/admin/actions']) {
      const text = (await (await get(path)).text()).toLowerCase();
      for (const who of people) expect(text, path).not.toContain(who);
    }
    const { epoch } = await latest();
    const set = await (await get(`/v1/epochs/${epoch}/leaves.csv`)).text();
    for (const { owner, key } of devices) {
      expect(set).toContain(owner.address);
      expect(set).not.toContain(key.address);
    }
  });

  it('has a page without scripts, in which nothing that somebody wrote is more than text', async () => {
    const answer = await get('/');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-/);
    const page = await answer.text();
    expect(page).not.toContain('<script');
    expect(page).not.toContain(EVIL);
    expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;');
    expect(page).toContain('The books balance');
    expect(page).toContain(`href="/v1/epochs/${(await latest()).epoch}/leaves.csv"`);
    // All that the page leads to is there.
    const links = [...page.matchAll(/href="([^"]+)"/g)].map(([, to]) => to ?? '');
    expect(links.length).toBeGreaterThan(5);
    for (const link of new Set(links)) expect((await get(link)).status, link).toBe(200);
  });

  it('says that the books do not balance when a count says so', async () => {
    await network.halt();
    const db = await network.openBooks();
    await db.exec(`UPDATE receipts SET value = replace(value, '"credited":"', '"credited":"9') WHERE report_hash =
      (SELECT MIN(report_hash) FROM receipts)`);
    await db.close();
    await network.restart();
    expect((await status()).books.balancedSince).not.toBeNull();
    const order = { action: 'recount', subject: '', why: 'a doubt', issuedAt: Date.now() } as const;
    const body = await adminOrder(network.coordinator.network, admin, order);
    const answer = await post(`${network.url}/v1/admin/actions`, body);
    expect(adminAnswer.parse(await answer.json()).result).toMatchObject({ balanced: 'no' });
    await until('the page to say so', async () => (await status()).books.balancedSince === null);
    expect(await (await get('/')).text()).toContain('The books do not balance');
  });
});
