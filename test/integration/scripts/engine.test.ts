import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inspectImage, streamError } from '../../../scripts/lib/base-image.mjs';
import { answeringEngine, callEngine, engine, type Place } from '../../../scripts/lib/engine.mjs';
import { tarFolder } from '../../../scripts/lib/tar.mjs';

const TAG = `idlemesh-setup-test:${process.pid}`;

async function place(): Promise<Place> {
  const found = await answeringEngine();
  if (!found) throw new Error('no engine');
  return found;
}

describe('the real engine, over its own API', () => {
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'engine-test-'));
  });
  afterEach(async () => {
    rmSync(dir, { recursive: true, force: true });
    await callEngine(await place(), 'DELETE', `/images/${encodeURIComponent(TAG)}?force=true`);
  });

  const build = async (dockerfile: string): Promise<string> => {
    writeFileSync(join(dir, 'Dockerfile'), dockerfile);
    const query = new URLSearchParams({
      t: TAG,
      version: '1',
      labels: JSON.stringify({ 'org.idlemesh.source': 'abc' }),
    });
    const { text } = await callEngine(await place(), 'POST', `/build?${query}`, {
      body: tarFolder(dir),
      timeoutMs: 60_000,
    });
    return text;
  };

  test('builds from our archive, with our label', async () => {
    mkdirSync(join(dir, 'deep'));
    writeFileSync(join(dir, 'deep/file'), 'content');
    expect(streamError(await build('FROM scratch\nCOPY deep/file /file\n'))).toBeUndefined();
    const image = await inspectImage(await place(), TAG);
    expect(image?.Id).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(image?.labels).toEqual({ 'org.idlemesh.source': 'abc' });
  });

  test('a failed build is seen, though the answer has status 200', async () => {
    expect(streamError(await build('FROM scratch\nCOPY absent /file\n'))).toMatch(/absent/);
    expect(await inspectImage(await place(), TAG)).toBeUndefined();
  });

  test('an image that is not there is undefined, not an error', async () => {
    expect(await inspectImage(await place(), 'idlemesh-setup-test:never')).toBeUndefined();
  });
});

describe('no engine where DOCKER_HOST points', () => {
  const before = process.env['DOCKER_HOST'];
  afterEach(() => {
    if (before === undefined) delete process.env['DOCKER_HOST'];
    else process.env['DOCKER_HOST'] = before;
  });

  test('nothing listens: the failure names the variable, and nothing is started in its place', async () => {
    process.env['DOCKER_HOST'] = 'unix:///nowhere/docker.sock';
    expect(await answeringEngine()).toBeUndefined();
    await expect(engine()).rejects.toThrow(/DOCKER_HOST=unix:\/\/\/nowhere\/docker\.sock/);
  });

  test('something else listens: it is not taken for an engine', async () => {
    const server: Server = createServer((_request, response) => response.writeHead(404).end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    process.env['DOCKER_HOST'] = `tcp://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
    expect(await answeringEngine()).toBeUndefined();
    await new Promise((resolve) => server.close(resolve));
  });
});
