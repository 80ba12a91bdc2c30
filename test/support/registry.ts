import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { registryProgram } from '../../scripts/lib/registry.mjs';
import { tarHeader } from '../../scripts/lib/tar.mjs';
import { freePort } from './free-port.ts';
import { until } from './wait.ts';

/** Of the one user that a private registry knows; the hash is bcrypt, which is all that it takes. */
export const READER = { name: 'reader', password: 'open sesame' } as const;
const HASH = '$2b$04$FIPGY4RiuAKDUukBO/6Vx.VCwbzRIu.wMMmPlfiNV0N.M1huXkxGe';

const DOCKER = 'application/vnd.docker';
const digestOf = (data: Uint8Array): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;

function tar(files: Readonly<Record<string, Uint8Array>>): Buffer {
  const parts = Object.entries(files).flatMap(([name, data]) => [
    tarHeader(name, data.length, 0o755),
    Buffer.from(data),
    Buffer.alloc((512 - (data.length % 512)) % 512),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

export type Served = {
  readonly repository: string;
  readonly digest: string;
  /** Content id: the digest of the configuration. */
  readonly image: string;
  /** Of the compressed layers together. */
  readonly bytes: number;
  readonly layers: readonly string[];
};

/** A registry on loopback with a store of its own; images are put into it without any engine. `beside`: served there as well. */
export async function startRegistry({ secret = false, beside = [] as readonly string[] } = {}) {
  const program = await registryProgram();
  const folder = await mkdtemp(join(tmpdir(), 'idlemesh-registry-'));
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  const users = join(folder, 'htpasswd');
  await writeFile(users, `${READER.name}:${HASH}\n`);
  const config = {
    version: 0.1,
    log: { level: 'error' },
    storage: {
      filesystem: { rootdirectory: join(folder, 'store') },
      maintenance: { uploadpurging: { enabled: false } },
    },
    http: { addr: host, secret: 'of this test' },
    ...(secret ? { auth: { htpasswd: { realm: 'tests', path: users } } } : {}),
  };
  // JSON is YAML.
  await writeFile(join(folder, 'config.yml'), JSON.stringify(config));
  const words = [program, 'serve', join(folder, 'config.yml')];
  const children = [[], ...(beside.length > 0 ? [beside] : [])].map((before) => {
    const [file = '', ...rest] = [...before, ...words];
    return spawn(file, rest, { stdio: 'ignore' });
  });
  const headers = secret
    ? { authorization: `Basic ${Buffer.from(`${READER.name}:${READER.password}`).toString('base64')}` }
    : {};
  const call = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(path.startsWith('http') ? path : `http://${host}${path}`, {
      ...init,
      headers: { ...headers, ...(init.headers as Record<string, string> | undefined) },
    });
  await until('the registry answers', async () => (await call('/v2/').catch(() => null))?.ok === true);

  async function blob(repository: string, data: Buffer): Promise<string> {
    const begun = await call(`/v2/${repository}/blobs/uploads/`, { method: 'POST' });
    const digest = digestOf(data);
    const put = await call(`${begun.headers.get('location')}&digest=${encodeURIComponent(digest)}`, {
      ...{ method: 'PUT', body: new Uint8Array(data) },
      headers: { 'content-type': 'application/octet-stream' },
    });
    if (put.status !== 201) throw new Error(`the registry took no blob: ${put.status}`);
    return digest;
  }

  return {
    host,
    port,
    /** `layerBytes`: of each layer, random so that no other image shares it and nothing shrinks. `config`: of the image. */
    async serve({
      path = `idlemesh-test/${randomBytes(6).toString('hex')}`,
      layerBytes = [4096],
      config: own = {},
    }: {
      readonly path?: string;
      readonly layerBytes?: readonly number[];
      readonly config?: Readonly<Record<string, unknown>>;
    } = {}): Promise<Served> {
      const plain = layerBytes.map((size, index) => tar({ [`file-${index}`]: randomBytes(size) }));
      const packed = plain.map((layer) => gzipSync(layer));
      const layers: string[] = [];
      for (const data of packed) layers.push(await blob(path, data));
      const image = Buffer.from(
        JSON.stringify({
          ...{ architecture: process.arch === 'arm64' ? 'arm64' : 'amd64', os: 'linux' },
          ...{ config: { Cmd: ['/file-0'], ...own }, created: '2026-01-01T00:00:00Z' },
          rootfs: { type: 'layers', diff_ids: plain.map(digestOf) },
          history: plain.map(() => ({ created: '2026-01-01T00:00:00Z', created_by: 'test' })),
        }),
      );
      const id = await blob(path, image);
      const type = `${DOCKER}.distribution.manifest.v2+json`;
      const manifest = JSON.stringify({
        ...{ schemaVersion: 2, mediaType: type },
        config: { mediaType: `${DOCKER}.container.image.v1+json`, size: image.length, digest: id },
        layers: packed.map((data, index) => ({
          ...{ mediaType: `${DOCKER}.image.rootfs.diff.tar.gzip`, size: data.length, digest: layers[index] },
        })),
      });
      const put = await call(`/v2/${path}/manifests/one`, {
        ...{ method: 'PUT', body: manifest, headers: { 'content-type': type } },
      });
      if (put.status !== 201) throw new Error(`the registry took no manifest: ${await put.text()}`);
      return {
        ...{ repository: `${host}/${path}`, digest: digestOf(Buffer.from(manifest)), image: id, layers },
        bytes: packed.reduce((sum, { length }) => sum + length, 0),
      };
    },
    /** Changes one byte in the middle of a stored blob. */
    async tamper(digest: string): Promise<void> {
      const hex = digest.slice('sha256:'.length);
      const file = join(folder, 'store/docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
      const data = await readFile(file);
      const at = data.length >> 1;
      data.writeUInt8(data.readUInt8(at) ^ 0xff, at);
      await writeFile(file, data);
    },
    async close(): Promise<void> {
      for (const child of children) {
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        await ended;
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}
export type Registry = Awaited<ReturnType<typeof startRegistry>>;

/** Stands before a registry and lets `bytes` of its answers through on each connection, then nothing. */
export async function startNarrows(port: number, bytes: number) {
  const sockets = new Set<Socket>();
  let open = false;
  const server: Server = createServer((client) => {
    const upstream = dial(port, '127.0.0.1');
    let left = bytes;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    client.pipe(upstream);
    upstream.on('data', (chunk) => {
      if (open || left > 0) client.write(chunk);
      left -= chunk.length;
      if (left <= 0 && !open) upstream.pause();
    });
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  return {
    host: `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    /** Cuts every connection. */
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    open: () => {
      open = true;
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
