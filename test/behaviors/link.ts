import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CoordinatorDirectory, CoordinatorLink } from '../../agent/ports.ts';
import { sha256Hex } from '../../core/keccak.ts';
import type { CoordinatorState } from '../../core/signals.ts';
import type { CoordinatorMessage } from '../../core/wire.ts';
import { FakeVault } from '../fakes/small.ts';
import { randomHex32 } from '../support/random.ts';
import { until } from '../support/wait.ts';

type Place = {
  readonly directory: CoordinatorDirectory;
  readonly url: string;
  /** Stops answering and answers again. */
  readonly down: () => Promise<void>;
  readonly up: () => Promise<void>;
  /** Orders work for a connected device, where one may upload only with a lease; null where it needs none. */
  readonly work: { readonly id: string; readonly image: string; readonly order: () => Promise<void> } | null;
};

/** What every way to a coordinator must do. */
export function linkBehaviour(name: string, place: () => Promise<Place>): void {
  describe(`link: ${name}`, () => {
    const at = Date.now();
    let vault: FakeVault;
    let folder: string;
    let links: CoordinatorLink[];
    let here: Place;
    beforeEach(async () => {
      vault = new FakeVault();
      links = [];
      here = await place();
      folder = await mkdtemp(join(tmpdir(), 'idlemesh-link-'));
    });
    afterEach(async () => {
      for (const link of links) await link.close();
      await rm(folder, { recursive: true, force: true });
    });

    async function enrol(): Promise<void> {
      const network = await here.directory.network(here.url);
      const value = { owner: vault.owner, device: vault.device, issuedAt: at, expiresAt: at + 3_600_000 };
      await here.directory.enrol(here.url, value, await vault.sign(network, 'Enrollment', value));
    }
    async function connect(): Promise<{
      link: CoordinatorLink;
      messages: CoordinatorMessage[];
      states: CoordinatorState[];
    }> {
      const network = await here.directory.network(here.url);
      const workloads = here.work === null ? [] : [{ id: here.work.id, image: here.work.image }];
      const hello = () => ({ agent: 'test', platform: 'test', workloads, leases: [] });
      const link = here.directory.connect({
        ...{ url: here.url, network, owner: vault.owner, hello },
        key: vault.deviceKey(network),
      });
      links.push(link);
      const messages: CoordinatorMessage[] = [];
      const states: CoordinatorState[] = [];
      link.onMessage((message) => messages.push(message));
      link.onState((state) => states.push(state));
      expect(link.send({ type: 'ready', lane: 'cpu', slots: 0 })).toBe(false);
      link.start();
      return { link, messages, states };
    }

    test('enrols twice as once, and refuses what the owner did not sign', async () => {
      await enrol();
      await enrol();
      const network = await here.directory.network(here.url);
      const value = { owner: new FakeVault().owner, device: vault.device, issuedAt: at, expiresAt: at + 3_600_000 };
      const forged = here.directory.enrol(here.url, value, await vault.sign(network, 'Enrollment', value));
      await expect(forged).rejects.toMatchObject({ code: expect.stringMatching(/REFUSED|UNAUTHORISED/) });
    });

    test('is welcomed, reconnects by itself, and says so', async () => {
      await enrol();
      const { link, messages, states } = await connect();
      await until('welcome', () => messages.some((message) => message.type === 'welcome'));
      expect(link.state().kind).toBe('connected');
      expect(link.send({ type: 'ready', lane: 'cpu', slots: 0 })).toBe(true);
      await here.down();
      await until('away', () => link.state().kind === 'away');
      expect(link.send({ type: 'ready', lane: 'cpu', slots: 0 })).toBe(false);
      await expect(here.directory.network(here.url)).rejects.toMatchObject({ code: 'COORDINATOR_AWAY' });
      await expect(link.proof()).rejects.toMatchObject({ code: 'COORDINATOR_AWAY' });
      await here.up();
      await until('connected again', () => link.state().kind === 'connected');
      expect(states.map((state) => state.kind).filter((kind) => kind === 'connected')).toHaveLength(2);
    });

    test('sends a blob once, and says what it does not find', async () => {
      await enrol();
      const { link, messages } = await connect();
      await until('connected', () => link.state().kind === 'connected');
      if (here.work !== null) {
        link.send({ type: 'ready', lane: 'cpu', slots: 1 });
        await here.work.order();
        await until('a lease', () => messages.some((message) => message.type === 'lease'));
      }
      const data = Buffer.from('some bytes');
      await writeFile(join(folder, 'blob'), data);
      await link.upload(sha256Hex(data), join(folder, 'blob'), 'cpu');
      await link.upload(sha256Hex(data), join(folder, 'blob'), 'cpu');
      await expect(link.upload(randomHex32(), join(folder, 'blob'), 'cpu')).rejects.toMatchObject({
        code: expect.stringMatching(/REFUSED|BAD_INPUT/),
      });
      const missing = link.download(randomHex32(), 5, join(folder, 'missing'), 'cpu');
      await expect(missing).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    test('answers the owner’s books and no proof before there is one', async () => {
      await enrol();
      const { link } = await connect();
      await until('connected', () => link.state().kind === 'connected');
      expect(await link.books()).toMatchObject({ owner: vault.owner, credited: 0n, published: 0n });
      expect(await link.proof()).toBeNull();
    });

    test('says nothing more once closed', async () => {
      await enrol();
      const { link, states } = await connect();
      await until('connected', () => link.state().kind === 'connected');
      const before = states.length;
      await link.close();
      expect(link.send({ type: 'ready', lane: 'cpu', slots: 0 })).toBe(false);
      expect(states).toHaveLength(before);
    });
  });
}
