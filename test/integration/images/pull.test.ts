import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { dockerImages } from '../../../agent/adapters/docker-images.ts';
import { nameOf, type PullProgress } from '../../../agent/image-ports.ts';
import { ENGINE_SOCKET, engine } from '../../e2e/support/engine.ts';
import { READER, type Registry, type Served, startNarrows, startRegistry } from '../../support/registry.ts';
import { until } from '../../support/wait.ts';

const MIB = 1024 * 1024;
const images = dockerImages({ log: () => undefined, credentials: async () => null });
let registry: Registry;
const made: string[] = [];

const served = async (options: Parameters<Registry['serve']>[0] = {}): Promise<Served> => {
  const image = await registry.serve(options);
  made.push(nameOf(image), image.image);
  return image;
};
const quiet = { signal: new AbortController().signal, onProgress: () => undefined };

beforeAll(async () => {
  registry = await startRegistry();
});

afterEach(async () => {
  for (const name of made.splice(0))
    await engine
      .getImage(name)
      .remove()
      .catch(() => undefined);
});

afterAll(() => registry.close());

describe('an image by its digest', () => {
  test('comes whole, counted in bytes, and is what the catalogue names', async () => {
    const image = await served({ layerBytes: [3 * MIB, MIB] });
    const told: PullProgress[] = [];
    const held = await images.pull(image, [image.image], { ...quiet, onProgress: (progress) => told.push(progress) });
    expect(held).toMatchObject({ id: image.image, names: [nameOf(image)] });
    expect(await images.find(image.image)).toEqual(held);
    expect(held.bytes).toBe(4 * MIB);
    expect(told.at(-1)).toEqual({ downloadedBytes: image.bytes, unpackedBytes: image.bytes });
    const sums = told.map(({ downloadedBytes, unpackedBytes }) => downloadedBytes + unpackedBytes);
    expect(sums).toEqual([...sums].sort((a, b) => a - b));
    expect(new Set(sums).size).toBeGreaterThan(2);
  });

  test('is refused when one byte of a layer differs, and nothing stays', async () => {
    const image = await served({ layerBytes: [MIB, MIB] });
    await registry.tamper(image.layers[1] ?? '');
    await expect(images.pull(image, [image.image], quiet)).rejects.toMatchObject({ code: 'REFUSED' });
    expect(await images.find(image.image)).toBeNull();
    expect(await images.find(nameOf(image))).toBeNull();
  });

  test('is refused when the configuration differs from its digest', async () => {
    const image = await served();
    await registry.tamper(image.image);
    await expect(images.pull(image, [image.image], quiet)).rejects.toMatchObject({ code: 'REFUSED' });
    expect(await images.find(nameOf(image))).toBeNull();
  });

  test('is refused and removed when it is another image than the catalogue names', async () => {
    const named = await served();
    const other = await served();
    const swapped = { ...other, image: named.image };
    await expect(images.pull(swapped, [named.image], quiet)).rejects.toMatchObject({
      code: 'REFUSED',
      message: expect.stringContaining(other.image),
    });
    expect(await images.find(other.image)).toBeNull();
    expect(await images.find(nameOf(other))).toBeNull();
    // The control: under its own name the same image is taken.
    await images.pull(other, [other.image], quiet);
    expect(await images.find(other.image)).not.toBeNull();
  });

  test('what was on the machine before is not removed, though it may not run as what it was offered for', async () => {
    const named = await served();
    const other = await served();
    await images.pull(other, [other.image], quiet);
    await expect(images.pull(other, [named.image], quiet)).rejects.toMatchObject({ code: 'REFUSED' });
    expect(await images.find(other.image)).toMatchObject({ id: other.image });
  });

  test.each([
    ['volumes of its own', { Volumes: { '/data': {} } }],
    ['a working directory below /proc', { WorkingDir: '/proc/self/fd/8' }],
    ['labels of ours', { Labels: { 'org.idlemesh.lease': '0x0' } }],
    ['what loaders read', { Env: ['LD_PRELOAD=/file-0'] }],
  ])('is refused and removed when it wants %s', async (_what, config) => {
    const image = await served({ config });
    await expect(images.pull(image, [image.image], quiet)).rejects.toMatchObject({ code: 'REFUSED' });
    expect(await images.find(image.image)).toBeNull();
  });

  test('is taken when it only exposes ports and names a folder to work in', async () => {
    const image = await served({ config: { ExposedPorts: { '80/tcp': {} }, WorkingDir: '/work' } });
    await expect(images.pull(image, [image.image], quiet)).resolves.toMatchObject({ id: image.image });
  });

  test('that the registry does not have is not found', async () => {
    const image = await served();
    const missing = { ...image, digest: `sha256:${'0'.repeat(64)}` };
    await expect(images.pull(missing, [image.image], quiet)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const nowhere = { ...image, repository: `${registry.host}/idlemesh-test/nowhere` };
    await expect(images.pull(nowhere, [image.image], quiet)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('of a registry that is away is worth another try', async () => {
    const image = await served();
    const away = { ...image, repository: `127.0.0.1:1/idlemesh-test/one` };
    await expect(images.pull(away, [image.image], quiet)).rejects.toMatchObject({ code: 'REGISTRY_AWAY' });
  });
});

describe('a fetch that is given up', () => {
  test('in its middle leaves no image, and goes on later from what is there', async () => {
    const image = await served({ layerBytes: [64 * 1024, 8 * MIB] });
    const narrows = await startNarrows(registry.port, MIB);
    try {
      const through = { ...image, repository: image.repository.replace(registry.host, narrows.host) };
      made.push(nameOf(through));
      const over = new AbortController();
      let begun = false;
      const pulling = images.pull(through, [image.image], {
        signal: over.signal,
        onProgress: ({ downloadedBytes }) => {
          begun ||= downloadedBytes > 0;
        },
      });
      pulling.catch(() => undefined);
      await until('the download has begun', () => begun);
      const at = performance.now();
      over.abort();
      await expect(pulling).rejects.toMatchObject({ code: 'CANCELLED' });
      expect(performance.now() - at).toBeLessThan(1_000);
      narrows.cut();
      narrows.open();
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      expect(await images.find(image.image)).toBeNull();
      await expect(images.pull(through, [image.image], quiet)).resolves.toMatchObject({ id: image.image });
    } finally {
      narrows.close();
    }
  });

  test('before it began asks the engine for nothing', async () => {
    const image = await served();
    await expect(images.pull(image, [image.image], { ...quiet, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'CANCELLED',
    });
    expect(await images.find(image.image)).toBeNull();
  });

  test('with its engine says so, and leaves no image', async () => {
    const image = await served({ layerBytes: [4 * MIB] });
    const narrows = await startNarrows(registry.port, 64 * 1024);
    const folder = mkdtempSync(join(tmpdir(), 'idlemesh-pull-'));
    const path = join(folder, 'engine.sock');
    const sockets = new Set<Socket>();
    const between = createServer((client) => {
      const behind = connect(ENGINE_SOCKET);
      for (const socket of [client, behind]) sockets.add(socket.on('error', () => undefined));
      client.pipe(behind).pipe(client);
    }).listen(path);
    try {
      const through = { ...image, repository: image.repository.replace(registry.host, narrows.host) };
      made.push(nameOf(through));
      const far = dockerImages({ log: () => undefined, credentials: async () => null, socketPath: path });
      let begun = false;
      const pulling = far.pull(through, [image.image], {
        ...quiet,
        onProgress: () => {
          begun = true;
        },
      });
      pulling.catch(() => undefined);
      await until('the download has begun', () => begun);
      for (const socket of sockets) socket.destroy();
      await expect(pulling).rejects.toMatchObject({ code: 'ENGINE_AWAY' });
      narrows.cut();
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      expect(await images.find(image.image)).toBeNull();
    } finally {
      between.close();
      narrows.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('ends by itself when the registry says nothing any more', async () => {
    const image = await served({ layerBytes: [4 * MIB] });
    const narrows = await startNarrows(registry.port, 64 * 1024);
    try {
      const through = { ...image, repository: image.repository.replace(registry.host, narrows.host) };
      made.push(nameOf(through));
      const hasty = dockerImages({ log: () => undefined, credentials: async () => null, silenceMs: 1_500 });
      await expect(hasty.pull(through, [image.image], quiet)).rejects.toMatchObject({ code: 'REGISTRY_AWAY' });
    } finally {
      narrows.close();
    }
  });
});

describe('a registry that asks who is there', () => {
  let closed: Registry;
  beforeAll(async () => {
    closed = await startRegistry({ secret: true });
  });
  afterAll(() => closed.close());

  test('gives nothing without credentials, and says so', async () => {
    const image = await closed.serve();
    await expect(images.pull(image, [image.image], quiet)).rejects.toMatchObject({
      code: 'UNAUTHORISED',
      message: expect.stringContaining('docker login'),
    });
  });

  test('gives the image to who knows the word, and to nobody else', async () => {
    const image = await closed.serve();
    made.push(nameOf(image));
    const knowing = (password: string) =>
      dockerImages({
        log: () => undefined,
        credentials: async (registryHost) => {
          expect(registryHost).toBe(closed.host);
          return { username: READER.name, password, serveraddress: closed.host };
        },
      });
    await expect(knowing('guess').pull(image, [image.image], quiet)).rejects.toMatchObject({ code: 'UNAUTHORISED' });
    await expect(knowing(READER.password).pull(image, [image.image], quiet)).resolves.toMatchObject({
      id: image.image,
    });
  });
});

describe('the end of an image', () => {
  test('takes our name away and the image with it, but nothing that the owner named', async () => {
    const ours = await served();
    const both = await served();
    await images.pull(ours, [ours.image], quiet);
    await images.pull(both, [both.image], quiet);
    const tag = `idlemesh-test-kept:${both.image.slice(7, 19)}`;
    made.push(tag);
    await engine.getImage(both.image).tag({ repo: 'idlemesh-test-kept', tag: both.image.slice(7, 19) });
    expect(await images.remove(ours)).toBe('removed');
    expect(await images.find(ours.image)).toBeNull();
    expect(await images.remove(ours)).toBe('gone');
    expect(await images.remove(both)).toBe('removed');
    expect(await images.find(both.image)).toMatchObject({ names: [tag] });
  });

  test('does not come while a container needs it, even one that has not begun', async () => {
    const image = await served();
    await images.pull(image, [image.image], quiet);
    const container = await engine.createContainer({ Image: image.image, Cmd: ['/file-0'] });
    try {
      expect(await images.remove(image)).toBe('used');
      expect(await images.find(image.image)).toMatchObject({ id: image.image, names: [nameOf(image)] });
    } finally {
      await container.remove();
    }
    expect(await images.remove(image)).toBe('removed');
  });
});
