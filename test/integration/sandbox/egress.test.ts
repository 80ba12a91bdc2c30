import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LABEL } from '../../../core/sandbox.ts';
import { egressStage, gatewaysOf, listed, WEB } from '../../support/egress-stage.ts';
import { until } from '../../support/wait.ts';

let stage: Awaited<ReturnType<typeof egressStage>>;
beforeAll(async () => {
  stage = await egressStage();
}, 240_000);
afterAll(() => stage?.close());

const statusOf = (answer: unknown): string => String(answer).split(' ')[1] ?? '';
const bodyOf = (answer: unknown): string => String(answer).split('\r\n\r\n')[1] ?? '';
/** What the proxy answers to a request for each of these addresses, in one run. */
const fetched = (urls: readonly string[]): Promise<unknown> =>
  stage.does(`const all = []; for (const url of ${JSON.stringify(urls)}) all.push(await get(url)); return all;`);
const statusesOf = async (urls: readonly string[]) => {
  const answers = (await fetched(urls)) as readonly string[];
  return Object.fromEntries(urls.map((url, at) => [url, statusOf(answers[at])]));
};
const all = (urls: readonly string[], status: string) => Object.fromEntries(urls.map((url) => [url, status]));

test('listed names answer over plain HTTP and through CONNECT; other names, ports and addresses do not', async () => {
  const [page, tunnel, ...refused] = (await stage.does(`
    const { connect } = require('node:net');
    const tunnel = new Promise((resolve) => {
      let heard = '';
      const socket = connect('/run/egress/proxy.sock', () => socket.write('CONNECT files.example.org:443 HTTP/1.1\\r\\n\\r\\nhello'));
      socket.on('data', (data) => { heard += data; if (heard.endsWith('hello')) socket.end(); });
      socket.on('close', () => resolve(heard));
    });
    return [await get('http://files.example.org/'), await tunnel, await get('http://files.example.com/'),
      await get('http://example.org/'), await get('http://files.example.org:8080/'), await get('http://${WEB}/')];
  `)) as string[];
  expect([statusOf(page), bodyOf(page)]).toEqual(['200', 'public page']);
  expect([statusOf(tunnel), bodyOf(tunnel)]).toEqual(['200', 'hello']);
  expect(refused.map(statusOf)).toEqual(['403', '403', '403', '403']);
});

test('what a plain container reaches of this machine and its neighbours is refused by every name and notation', async () => {
  const { bridge, nic, neighbour, port } = stage;
  // The controls: without the gateway, each of these is there to be reached.
  expect(await stage.plainly(`http://${bridge}:${port}/`)).toContain('the secret of this machine');
  expect(await stage.plainly(`http://${nic}:${port}/`)).toContain('the secret of this machine');
  expect(await stage.plainly(`http://${neighbour}/`)).toContain('public page');

  const names = ['bridge', 'nic', 'self', 'mapped', 'nat64', 'lan', 'metadata', 'mixed', 'mixed6', 'neighbour'];
  const byName = names.flatMap((name) => [`http://${name}.example.org/`, `http://${name}.example.org:${port}/`]);
  const hosts = [
    ...[bridge, nic, neighbour, '127.0.0.1', '127.1', '2130706433', '0x7f000001', '0177.0.0.1', '169.254.169.254'],
    ...['[::1]', '[::ffff:172.17.0.1]', '%31%37%32.17.0.1', 'files.example.org@172.17.0.1', 'bridge.example.org.'],
    ...['localhost', 'host.docker.internal', '①⑦②.17.0.1', 'files。example。org'],
  ];
  const byNotation = hosts.map((host) => `http://${host}:${port}/`);
  const good = 'http://files.example.org/';
  expect(await statusesOf([good, ...byName])).toEqual({ [good]: '200', ...all(byName, '403') });
  const odd = Object.values(await statusesOf(byNotation));
  expect(odd.filter((status) => status !== '403' && status !== '400')).toEqual([]);
});

test('a name that changes its address between two questions is asked once, and refused when it points inside', async () => {
  const twice = ['http://rebind.example.org/?1', 'http://rebind.example.org/?2'];
  expect(Object.values(await statusesOf(twice))).toEqual(['200', '403']);
});

test('a redirect is handed back and not followed, and where it leads is refused', async () => {
  const [first] = (await fetched(['http://files.example.org/redirect'])) as string[];
  expect(first).toContain('location: http://169.254.169.254/');
  expect(await statusesOf(['http://169.254.169.254/'])).toEqual({ 'http://169.254.169.254/': '403' });
});

test('a second request behind a first one is never carried out', async () => {
  const second = 'GET http://files.example.org/ HTTP/1.1\\r\\nHost: bridge.example.org\\r\\n\\r\\n';
  const answers = (await stage.does(`
    const first = 'GET http://files.example.org/ HTTP/1.1\\r\\nHost: files.example.org\\r\\n\\r\\n';
    const post = (fields) => 'POST http://files.example.org/ HTTP/1.1\\r\\nHost: files.example.org\\r\\n' + fields + '\\r\\n\\r\\n';
    return [await raw(first + '${second}'), await raw(post('Content-Length: 5\\r\\nTransfer-Encoding: chunked') + '0\\r\\n\\r\\n'),
      await raw(post('Content-Length: 3') + 'abc' + '${second}'), await raw(post('Content-Length: 3') + 'abc')];
  `)) as string[];
  expect(answers.map(statusOf)).toEqual(['400', '411', '400', '200']);
});

test('there is no other way out: no address, no datagrams, no raw sockets, nobody to ask for names', async () => {
  const seen = await stage.does(`
    const tried = (start) => new Promise((resolve) => { try { start(resolve); } catch (error) { resolve(error.code); } });
    const tcp = (host, port) => tried((done) => require('node:net').connect({ host, port }).on('connect', () => done('reached')).on('error', ({ code }) => done(code)));
    const udp = await tried((done) => {
      const socket = require('node:dgram').createSocket('udp4').on('error', ({ code }) => done(code));
      socket.send('x', 53, '203.0.114.53', (error) => done(error ? error.code : 'sent'));
    });
    const names = await require('node:dns').promises.lookup('files.example.org').then(() => 'known', ({ code }) => code);
    const interfaces = require('node:fs').readFileSync('/proc/net/dev', 'utf8').split('\\n').slice(2).flatMap((line) => line.split(':')[0].trim() || []);
    return { interfaces, udp, names, web: await tcp('${WEB}', 80), bridge: await tcp('${stage.bridge}', ${stage.port}),
      written: await tried((done) => require('node:fs').writeFile('/run/egress/x', '', (error) => done(error ? error.code : 'written'))) };
  `);
  expect(seen).toMatchObject({ interfaces: ['lo'], written: 'EROFS' });
  expect(Object.values(seen as object)).not.toEqual(expect.arrayContaining(['reached']));
  expect(seen).not.toMatchObject({ udp: 'sent' });
  expect(seen).not.toMatchObject({ names: 'known' });
});

test('no more passes in a run than its workload may have', async () => {
  const answer = (maxBytes: number) =>
    stage.does(
      `return [(await get('http://files.example.org/big')).length, await get('http://files.example.org/')];`,
      maxBytes,
    );
  const [whole, fine] = (await answer(5 << 20)) as [number, string];
  expect(whole).toBeGreaterThan(4 << 20);
  expect(statusOf(fine)).toBe('200');
  const [cut, refused] = (await answer(1 << 20)) as [number, string];
  expect(cut).toBeGreaterThan(1 << 19);
  expect(cut).toBeLessThanOrEqual(1 << 20);
  expect(statusOf(refused)).not.toBe('200');
});

test('a run leaves nothing of its gateway behind, nor does one that is ended, nor one whose gateway dies', async () => {
  await stage.does('return 1');
  expect(await gatewaysOf(stage.deeds.device)).toBe(0);

  const ended = stage.deeds.begin(stage.job('return new Promise(() => setInterval(() => undefined, 1000))'));
  await until('it runs', () => ended.runner.view().phase === 'running');
  expect(await gatewaysOf(stage.deeds.device)).toBe(3);
  ended.runner.release();
  await ended.done;
  expect(await gatewaysOf(stage.deeds.device)).toBe(0);

  const orphaned = stage.deeds.begin(stage.job('return new Promise(() => setInterval(() => undefined, 1000))'));
  await until('it runs', () => orphaned.runner.view().phase === 'running');
  const [gateway] = await listed('containers', [`${LABEL.device}=${stage.deeds.device}`, `${LABEL.role}=gateway`]);
  await stage.deeds.containers.remove(String(gateway?.['Id']));
  expect((await orphaned.done).ending).toEqual({ kind: 'released', killed: true });
  expect([await gatewaysOf(stage.deeds.device), await stage.deeds.left()]).toEqual([0, []]);
}, 60_000);

test('an agent that is killed takes work and gateway along, and what lies about is removed at its next start', async () => {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../support/egress-child.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout, 'data');
  const device = String(line).trim() as `0x${string}`;
  const running = async () =>
    (await listed('containers', [`${LABEL.device}=${device}`])).filter(({ State }) => State === 'running').length;
  await until('work and gateway run', async () => (await running()) === 2, 60_000);
  child.kill('SIGKILL');
  await until('both have ended', async () => (await running()) === 0, 10_000);
  expect(await gatewaysOf(device)).toBe(3);
  for (const { id } of await stage.deeds.containers.list(device)) await stage.deeds.containers.remove(id);
  await stage.deeds.containers.egress.sweep(device);
  expect(await gatewaysOf(device)).toBe(0);
}, 90_000);
