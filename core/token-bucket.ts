/**
 * A token bucket in whole numbers. `level` is counted in thousandths: at one unit a second a millisecond brings one of them, so
 * nothing is ever rounded. A rate of null is no limit. Over any time t no more than rate · t + burst passes.
 */
export type Bucket = { readonly level: number; readonly at: number };

export type Flow = {
  /** Units a second, a whole number of at least 1; null: unlimited. */
  readonly rate: number | null;
  /** What may pass at once, at least 1 unit. */
  readonly burst: number;
};

const PARTS = 1000;

export const fullBucket = (flow: Flow, now: number): Bucket => ({ level: flow.burst * PARTS, at: now });

/** The bucket at `now` (ms). A clock that was set back brings nothing; a smaller burst takes at once what is too much. */
export function filled(bucket: Bucket, flow: Flow, now: number): Bucket {
  const most = flow.burst * PARTS;
  if (flow.rate === null) return { level: most, at: now };
  const passed = Math.max(0, now - bucket.at);
  // Compared before multiplying: a month of a fast line does not fit into a whole number.
  const enough = passed >= Math.ceil((most - bucket.level) / flow.rate);
  return { level: enough ? most : Math.min(most, bucket.level + passed * flow.rate), at: now };
}

/** Whether `units` may pass now. More than the burst may pass when the bucket is full, and leaves it in debt. */
export const mayPass = (bucket: Bucket, flow: Flow, units: number): boolean =>
  flow.rate === null || bucket.level >= Math.min(units, flow.burst) * PARTS;

export const taken = (bucket: Bucket, units: number): Bucket => ({ ...bucket, level: bucket.level - units * PARTS });

/** Milliseconds until `units` may pass, if nothing else does; rounded up. */
export const waitFor = (bucket: Bucket, flow: Flow, units: number): number =>
  mayPass(bucket, flow, units) || flow.rate === null
    ? 0
    : Math.ceil((Math.min(units, flow.burst) * PARTS - bucket.level) / flow.rate);
