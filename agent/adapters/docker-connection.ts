import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import Docker from 'dockerode';
import { asFailure, Failure, fail } from '../../core/errors.ts';

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

/** `socketPath` replaces the search: DOCKER_HOST, then the usual sockets. */
export function connect(socketPath: string | undefined): Docker {
  if (socketPath !== undefined) return new Docker({ socketPath });
  const desktop = `${homedir()}/.docker/run/docker.sock`;
  const useDesktop = !process.env['DOCKER_HOST'] && process.platform !== 'win32' && !existsSync('/var/run/docker.sock');
  return useDesktop && existsSync(desktop) ? new Docker({ socketPath: desktop }) : new Docker();
}
