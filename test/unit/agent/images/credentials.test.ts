import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { registryCredentials, registryOf } from '../../../../agent/adapters/registry-credentials.ts';

const SECRET = 'hunter2-and-more';
const auth = (name: string, word = SECRET): string => Buffer.from(`${name}:${word}`).toString('base64');
let home: string;
let logged: unknown[];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'idlemesh-credentials-'));
  mkdirSync(join(home, '.docker'));
  logged = [];
});
afterEach(() => {
  rmSync(home, { recursive: true, force: true });
  // Whatever happened, nobody was told.
  expect(JSON.stringify(logged)).not.toContain(SECRET);
});

function ask(registry: string, config: unknown, env: NodeJS.ProcessEnv = {}, helperMs = 5_000) {
  const text = typeof config === 'string' ? config : JSON.stringify(config);
  writeFileSync(join(home, '.docker', 'config.json'), text);
  const credentials = registryCredentials({
    log: (...told) => logged.push(told),
    env: { PATH: `${home}${delimiter}${process.env['PATH']}`, HOME: home, ...env },
    helperMs,
  });
  return credentials(registry);
}

/** A program `docker-credential-NAME` that answers what the shell script says; it is given the server on its input. */
function helper(name: string, script: string): void {
  const path = join(home, `docker-credential-${name}`);
  writeFileSync(path, `#!/bin/sh\nread -r server\n${script}\n`);
  chmodSync(path, 0o755);
}

test.each([
  ['ghcr.io/idlemesh/transcode', 'ghcr.io'],
  ['127.0.0.1:5000/transcode', '127.0.0.1:5000'],
  ['localhost/transcode', 'localhost'],
  ['idlemesh/transcode', 'index.docker.io'],
  ['docker.io/idlemesh/transcode', 'index.docker.io'],
])('%s lies at %s', (repository, registry) => {
  expect(registryOf(repository)).toBe(registry);
});

describe('credentials', () => {
  test.each(['ghcr.io', 'https://ghcr.io', 'https://ghcr.io/v2/'])('stand under %s', async (key) => {
    expect(await ask('ghcr.io', { auths: { [key]: { auth: auth('ann') } } })).toEqual({
      ...{ username: 'ann', password: SECRET, serveraddress: 'ghcr.io' },
    });
  });
  test('of another registry are not sent', async () => {
    const config = {
      auths: { 'ghcr.io.example.org': { auth: auth('ann') }, 'example.org/ghcr.io': { auth: auth('b') } },
    };
    expect(await ask('ghcr.io', config)).toBeNull();
  });
  test('may have a colon in the password, or be a token', async () => {
    const auths = { 'a.example': { auth: auth('ann', 'a:b:c') }, 'b.example': { identitytoken: SECRET } };
    expect(await ask('a.example', { auths })).toMatchObject({ password: 'a:b:c' });
    expect(await ask('b.example', { auths })).toMatchObject({ username: '', identitytoken: SECRET });
  });
  test('come from the environment before the file', async () => {
    const DOCKER_AUTH_CONFIG = JSON.stringify({ auths: { 'ghcr.io': { auth: auth('environment') } } });
    const config = { auths: { 'ghcr.io': { auth: auth('file') }, 'b.example': { auth: auth('file') } } };
    expect(await ask('ghcr.io', config, { DOCKER_AUTH_CONFIG })).toMatchObject({ username: 'environment' });
    expect(await ask('b.example', config, { DOCKER_AUTH_CONFIG })).toMatchObject({ username: 'file' });
  });
  test('come from the helper of the registry, and else from the general one', async () => {
    helper('own', `printf '{"ServerURL":"%s","Username":"own at %s","Secret":"${SECRET}"}' "$server" "$server"`);
    helper('store', `printf '{"Username":"<token>","Secret":"${SECRET}"}'`);
    const config = { credHelpers: { 'ghcr.io': 'own' }, credsStore: 'store' };
    expect(await ask('ghcr.io', config)).toMatchObject({ username: 'own at ghcr.io', password: SECRET });
    expect(await ask('b.example', config)).toMatchObject({ username: '', identitytoken: SECRET });
  });
  test.each([
    ['fails', 'echo "credentials not found"; exit 1'],
    ['answers nonsense', `echo "${SECRET}"`],
    ['hangs', 'exec sleep 30'],
  ])('are none where the helper %s', async (_what, script) => {
    helper('store', script);
    const at = performance.now();
    expect(await ask('ghcr.io', { credsStore: 'store' }, {}, 300)).toBeNull();
    expect(performance.now() - at).toBeLessThan(3_000);
  });
  test('are none where the helper is not there, or its name leads elsewhere', async () => {
    expect(await ask('ghcr.io', { credsStore: 'missing' })).toBeNull();
    mkdirSync(join(home, 'docker-credential-x'));
    writeFileSync(join(home, 'evil'), `#!/bin/sh\necho '{"Username":"a","Secret":"b"}'\n`);
    chmodSync(join(home, 'evil'), 0o755);
    expect(await ask('ghcr.io', { credsStore: 'x/../evil' })).toBeNull();
  });
  test.each(['{', '[]', '{"auths":[1]}', `{"auths":{"ghcr.io":{"auth":7}},"x":"${SECRET}"}`])(
    'are none where the file is damaged: %s',
    async (text) => {
      expect(await ask('ghcr.io', text)).toBeNull();
      expect(logged).toHaveLength(1);
    },
  );
});
