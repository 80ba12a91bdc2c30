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
     SELECT leases.output_hash AS hash FROM queue JOIN leases USING (job_id) WHERE leases.output_hash IS NOT NULL
     UNION
     SELECT known_output AS hash FROM queue JOIN jobs USING (job_id) WHERE known_output IS NOT NULL
     -- What may have to be done again, by who checks it or as a canary, and compared with what it was.
     UNION
     SELECT input_hash AS hash FROM accruals JOIN jobs USING (job_id)
     UNION
     SELECT input_hash AS hash FROM agreed JOIN jobs USING (job_id)
     UNION
     SELECT accruals.output_hash AS hash FROM accruals JOIN jobs USING (job_id) WHERE workload = ANY ($1::text[])
     UNION
     SELECT output_hash AS hash FROM agreed JOIN jobs USING (job_id) WHERE workload = ANY ($1::text[])`,
    [options.catalogue.entries.flatMap(({ id, comparison }) => (comparison === 'exact' ? [] : [id]))],
  );
  const dropped = await blobs.drop(before, new Set(rows.map((row) => row.hash)));
  if (dropped.length === 0) return;
  await forgetUploads(db, dropped);
  options.log('info', 'blobs-removed', { dropped: dropped.length });
}
