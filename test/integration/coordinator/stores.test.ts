import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import S3rver from '@20minutes/s3rver';
import { openBlobs } from '../../../coordinator/blobs.ts';
import { openS3Blobs } from '../../../coordinator/s3.ts';
import { blobsBehaviour } from '../../behaviors/blobs.ts';

blobsBehaviour('in a folder', async (maxBytes) => {
  const dir = await mkdtemp(join(tmpdir(), 'idlemesh-blobs-'));
  return {
    blobs: await openBlobs(dir, maxBytes, Date.now),
    clean: () => rm(dir, { recursive: true, force: true }),
  };
});

blobsBehaviour('in a bucket of a server that speaks S3', async (maxBytes) => {
  const dir = await mkdtemp(join(tmpdir(), 'idlemesh-s3-'));
  const bucket = 'idlemesh';
  const server = new S3rver({
    ...{ address: '127.0.0.1', port: 0, silent: true, directory: join(dir, 'server') },
    configureBuckets: [{ name: bucket, configs: [] }],
  });
  const { port } = await server.run();
  const blobs = await openS3Blobs(
    {
      ...{ endpoint: `http://127.0.0.1:${port}`, bucket, region: 'us-east-1' },
      ...{ accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
    },
    join(dir, 'incoming'),
    maxBytes,
  );
  return {
    blobs,
    async clean() {
      await server.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
});
