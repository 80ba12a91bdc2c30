import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Failure, fail, isFailure } from '../../core/errors.ts';
import type { Hex32 } from '../../core/primitives.ts';
import type { Passage } from '../ports.ts';
import { diskFailure, errnoOf } from './files.ts';
import { send } from './http.ts';

type Blob = { readonly url: string; readonly token: string; readonly path: string; readonly passage: Passage };

/** Streams a blob into a file. Throws REFUSED when it is not the bytes that were asked for, DISK_FULL, COORDINATOR_AWAY. */
export async function download({ url, token, path, passage }: Blob, sha256: Hex32, bytes: number): Promise<void> {
  const response = await send(url, { method: 'GET', token });
  const hash = createHash('sha256');
  let seen = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length;
      if (seen > bytes) return done(new Failure('REFUSED', 'the blob is longer than it was said to be'));
      hash.update(chunk);
      passage('in', chunk.length).then(() => done(null, chunk), done);
    },
  });
  try {
    await pipeline(response, meter, createWriteStream(path, { mode: 0o600 }));
  } catch (error) {
    if (error instanceof Failure) throw error;
    // What breaks on the way from the network has no path; what breaks at the file has.
    if (errnoOf(error) !== '' && error instanceof Error && 'path' in error) diskFailure(error, path);
    if (['ENOSPC', 'EDQUOT'].includes(errnoOf(error))) diskFailure(error, path);
    fail('COORDINATOR_AWAY', 'the transfer broke off', {}, error);
  }
  if (seen < bytes) fail('COORDINATOR_AWAY', 'the transfer ended early');
  if (`0x${hash.digest('hex')}` !== sha256) fail('REFUSED', 'the blob is not what its hash says');
}

/** Sends a file unless the network has it. */
export async function upload({ url, token, path, passage }: Blob): Promise<void> {
  try {
    (await send(url, { method: 'HEAD', token })).resume();
    return;
  } catch (error) {
    if (!isFailure(error, 'NOT_FOUND')) throw error;
  }
  const { size } = await stat(path);
  const shaped = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      passage('out', chunk.length).then(() => done(null, chunk), done);
    },
  });
  const file = createReadStream(path);
  file.on('error', (error) => shaped.destroy(error));
  const stream = { from: file.pipe(shaped), bytes: size };
  (await send(url, { method: 'PUT', token, stream })).resume();
}
