import { z } from 'zod';
import type { Context } from './context.ts';
import { forgetUploads } from './uploads.ts';

const named = z.object({ hash: z.string() });

/** Removes inputs and outputs that nobody used for `keepBlobsMs`, but for those an open job still needs. */
export async function dropOldBlobs({ db, blobs, options }: Context): Promise<void> {
  const before = options.clock.now() - options.keepBlobsMs;
  const rows = await db.query(
    named,
    `SELECT input_hash AS hash FROM queue JOIN jobs USING (job_id)
     UNION
     SELECT leases.output_hash AS hash FROM queue JOIN leases USING (job_id) WHERE leases.output_hash IS NOT NULL`,
  );
  const dropped = await blobs.drop(before, new Set(rows.map((row) => row.hash)));
  if (dropped.length === 0) return;
  await forgetUploads(db, dropped);
  options.log('info', 'blobs-removed', { dropped: dropped.length });
}
