import { spawn } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Log } from '../ports.ts';
import { readIfThere } from './files.ts';

/** What the engine passes on to a registry. Never logged, and kept nowhere. */
export type Credentials = {
  readonly username: string;
  readonly password: string;
  readonly identitytoken?: string;
  readonly serveraddress: string;
};

/** Of Docker's own registry, in configurations of every age. */
const HUB = 'https://index.docker.io/v1/';
const HELPER_MS = 10_000;
const MAX_ANSWER = 64 * 1024;
/** A helper is a program `docker-credential-NAME`: a name with a path in it is none. */
const HELPER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** The registry's host and port; `repository` without one lies in Docker's own. */
export function registryOf(repository: string): string {
  const first = repository.split('/', 1)[0] ?? '';
  const named = repository.includes('/') && (/[.:]/.test(first) || first === 'localhost');
  return !named || first === 'docker.io' ? 'index.docker.io' : first;
}

const entry = z.object({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  identitytoken: z.string().optional(),
});
/** Docker's `config.json`, the part that holds credentials. */
const dockerConfig = z.object({
  auths: z.record(z.string(), entry).optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
  credsStore: z.string().optional(),
});
type DockerConfig = z.output<typeof dockerConfig>;
const answered = z.object({ Username: z.string(), Secret: z.string() });

/** `https://host/v1/` and `host` name the same registry. */
const hostOf = (key: string): string => key.replace(/^https?:\/\//, '').split('/', 1)[0] ?? '';

function stored(config: DockerConfig, registry: string): Credentials | null {
  const found = Object.entries(config.auths ?? {}).find(([key]) => hostOf(key) === registry)?.[1];
  if (found === undefined) return null;
  const decoded = found.auth === undefined ? '' : Buffer.from(found.auth, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  const username = found.username ?? (colon < 0 ? '' : decoded.slice(0, colon));
  const password = found.password ?? (colon < 0 ? '' : decoded.slice(colon + 1).replace(/\0+$/, ''));
  const { identitytoken } = found;
  if (username === '' && !identitytoken) return null;
  return { username, password, ...(identitytoken ? { identitytoken } : {}), serveraddress: registry };
}

/** What the program answers on its standard output; null when it fails, hangs or is not there. */
function runHelper(name: string, server: string, env: NodeJS.ProcessEnv, limitMs: number): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(`docker-credential-${name}`, ['get'], {
      env,
      stdio: ['pipe', 'pipe', 'ignore'],
      windowsHide: true,
    });
    let said = '';
    const end = (answer: string | null): void => {
      clearTimeout(timer);
      resolve(answer);
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      end(null);
    }, limitMs);
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
      if (said.length > MAX_ANSWER) child.kill('SIGKILL');
    });
    child.on('error', () => end(null));
    child.on('close', (code) => end(code === 0 ? said : null));
    child.stdin.on('error', () => undefined);
    child.stdin.end(server);
  });
}

/**
 * The owner's credentials for a registry, as Docker's own client finds them: DOCKER_AUTH_CONFIG, then the configuration's
 * helper for this registry, its plain entry, its general helper. null: none, which is right for public images.
 */
export function registryCredentials(options: {
  readonly log: Log;
  readonly env?: NodeJS.ProcessEnv;
  readonly helperMs?: number;
}): (registry: string) => Promise<Credentials | null> {
  const { log, env = process.env, helperMs = HELPER_MS } = options;

  function parse(text: string | null | undefined, where: string): DockerConfig | null {
    if (!text) return null;
    try {
      return dockerConfig.parse(JSON.parse(text));
    } catch {
      // Not even the error: it quotes what it could not read.
      log('warn', 'docker-credentials-unreadable', { where });
      return null;
    }
  }

  async function fromHelper(name: string, registry: string): Promise<Credentials | null> {
    if (!HELPER_NAME.test(name)) {
      log('warn', 'docker-credential-helper-refused', { registry });
      return null;
    }
    const server = registry === hostOf(HUB) ? HUB : registry;
    const text = await runHelper(name, server, env, helperMs);
    try {
      const { Username: username, Secret: secret } = answered.parse(JSON.parse(text ?? ''));
      // The name that says that the secret is a token: docker-credential-helpers' own convention.
      return username === '<token>'
        ? { username: '', password: '', identitytoken: secret, serveraddress: registry }
        : { username, password: secret, serveraddress: registry };
    } catch {
      log('info', 'docker-credential-helper-silent', { helper: name, registry });
      return null;
    }
  }

  return async (registry) => {
    const given = parse(env['DOCKER_AUTH_CONFIG'], 'DOCKER_AUTH_CONFIG');
    const fromEnvironment = given === null ? null : stored(given, registry);
    if (fromEnvironment !== null) return fromEnvironment;
    const folder = env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker');
    const path = join(folder, 'config.json');
    const config = parse(await readIfThere(path).catch(() => null), path);
    if (config === null) return null;
    const own = Object.entries(config.credHelpers ?? {}).find(([key]) => hostOf(key) === registry)?.[1];
    if (own !== undefined) return fromHelper(own, registry);
    const plain = stored(config, registry);
    if (plain !== null || config.credsStore === undefined) return plain;
    return fromHelper(config.credsStore, registry);
  };
}
