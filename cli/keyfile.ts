import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fail } from '../core/errors.ts';

/**
 * The private key of a command-line party (a consumer, a coordinator) in a file only its user may read. It is made when
 * `create` is set and there is none; an existing file is never replaced. Throws NOT_FOUND, BAD_INPUT or REFUSED.
 */
export async function readKeyFile(path: string, create: boolean): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text !== null) {
    const key = text.trim();
    if (!/^0x[0-9a-f]{64}$/.test(key))
      fail('BAD_INPUT', `${path} is not a key file: it must hold 0x and 64 hex digits`);
    await close(path);
    return key;
  }
  if (!create) fail('NOT_FOUND', `no key at ${path}; name one with --key`, { path });
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const key = `0x${randomBytes(32).toString('hex')}`;
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(`${key}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  return key;
}

/** Of others who could read it. One that nobody else can read is left alone: where a service runs it often cannot be changed. */
async function close(path: string): Promise<void> {
  const { mode } = await stat(path);
  if ((mode & 0o077) === 0) return;
  await chmod(path, 0o600).catch((error: unknown) =>
    fail('REFUSED', `others can read ${path}, and that cannot be changed from here; set its mode to 0600`, {}, error),
  );
}
