import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { asFailure, Failure, fail } from '../../core/errors.ts';
import type { EnginePlace, Surroundings } from './engine-places.ts';

/** The engine's answer where there is one; anything without a status never reached it. */
export const statusOf = (error: unknown): number | null =>
  typeof error === 'object' && error !== null && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : null;

export const engineFailure = (error: unknown): never => {
  if (error instanceof Failure) throw error;
  const { message } = asFailure(error);
  if (statusOf(error) === null) return fail('ENGINE_AWAY', message, {}, error);
  return fail('REFUSED', `the engine refused: ${message.slice(0, 300)}`, {}, error);
};

/** Throws an error that is no `Failure` yet when nothing answers in time. */
export async function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Docker did not answer within ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What the modem below dockerode is told anew when the engine moves; its types leave it open. */
type Modem = {
  socketPath: string | undefined;
  socketPathCache: string | undefined;
  host: string;
  port: number | string;
  protocol: 'http' | 'https';
  ca: Buffer | undefined;
  cert: Buffer | undefined;
  key: Buffer | undefined;
};

const TLS_PORT = '2376';

/** Points every later call at a place. False: of a kind that is not spoken here (ssh). */
export function pointAt(docker: Docker, place: EnginePlace, env: Surroundings['env']): boolean {
  const modem: Modem = Object(docker.modem);
  modem.socketPathCache = undefined;
  if (place.kind === 'local') {
    modem.socketPath = place.path;
    return true;
  }
  if (!URL.canParse(place.url)) return false;
  const { protocol, hostname, port } = new URL(place.url);
  if (!['tcp:', 'http:', 'https:'].includes(protocol) || hostname === '') return false;
  const secure = protocol === 'https:' || env['DOCKER_TLS_VERIFY'] === '1' || port === TLS_PORT;
  const certs = env['DOCKER_CERT_PATH'] ?? join(homedir(), '.docker');
  const file = (name: string): Buffer | undefined => {
    const path = join(certs, name);
    return secure && existsSync(path) ? readFileSync(path) : undefined;
  };
  modem.socketPath = undefined;
  modem.host = hostname.replace(/^\[|\]$/g, '');
  modem.port = port || (secure ? TLS_PORT : '2375');
  modem.protocol = secure ? 'https' : 'http';
  [modem.ca, modem.cert, modem.key] = [file('ca.pem'), file('cert.pem'), file('key.pem')];
  return true;
}

const textOf = (path: string): string | null => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
};

export const thisMachine = (): Surroundings => ({
  ...{ env: process.env, platform: process.platform, home: homedir(), uid: process.getuid?.() ?? 0, read: textOf },
});

/** Not connected to anything yet: `pointAt` says where. */
export const connect = (): Docker => new Docker({ socketPath: '' });
