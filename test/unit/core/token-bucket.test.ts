import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Bucket, type Flow, filled, fullBucket, mayPass, taken, waitFor } from '../../../core/token-bucket.ts';

const flows = fc.record({
  rate: fc.integer({ min: 1, max: 1_250_000_000 }),
  burst: fc.integer({ min: 1, max: 500_000_000 }),
});
const steps = fc.array(fc.record({ ms: fc.nat(5_000), part: fc.integer({ min: 1, max: 100 }) }), { maxLength: 60 });

/** What passed, and when. */
function passed(flow: Flow, walk: readonly { readonly ms: number; readonly part: number }[]) {
  let now = 1_768_478_400_000;
  let bucket: Bucket = fullBucket(flow, now);
  const all: { readonly at: number; readonly units: number }[] = [];
  for (const { ms, part } of walk) {
    now += ms;
    const units = Math.max(1, Math.floor((flow.burst * part) / 100));
    bucket = filled(bucket, flow, now);
    if (!mayPass(bucket, flow, units)) continue;
    bucket = taken(bucket, units);
    all.push({ at: now, units });
  }
  return all;
}

describe('a token bucket', () => {
  test('lets never more than rate · t + burst pass, over whatever time', () => {
    fc.assert(
      fc.property(flows, steps, (flow, walk) => {
        const all = passed(flow, walk);
        for (let from = 0; from < all.length; from++) {
          let sum = 0;
          for (let to = from; to < all.length; to++) {
            sum += all[to]?.units ?? 0;
            const seconds = ((all[to]?.at ?? 0) - (all[from]?.at ?? 0)) / 1000;
            expect(sum).toBeLessThanOrEqual(flow.rate * seconds + flow.burst + 1e-6);
          }
        }
      }),
    );
  });

  test('lets pass what it says after what it says, and not a millisecond earlier', () => {
    fc.assert(
      fc.property(flows, fc.nat(1_000_000), fc.integer({ min: 1, max: 1_000_000 }), (flow, first, second) => {
        const start = taken(fullBucket(flow, 0), Math.min(first, flow.burst));
        const wait = waitFor(start, flow, second);
        expect(mayPass(filled(start, flow, wait), flow, second)).toBe(true);
        if (wait > 0) expect(mayPass(filled(start, flow, wait - 1), flow, second)).toBe(false);
      }),
    );
  });

  test('counts in whole numbers, for months and over a clock that jumps', () => {
    fc.assert(
      fc.property(flows, fc.array(fc.integer({ min: -3e9, max: 3e9 })), (flow, jumps) => {
        let now = 1_768_478_400_000;
        let bucket = taken(fullBucket(flow, now), 1);
        for (const jump of jumps) {
          now += jump;
          bucket = filled(bucket, flow, now);
          expect(Number.isSafeInteger(bucket.level)).toBe(true);
          expect(bucket.level).toBeLessThanOrEqual(flow.burst * 1000);
        }
      }),
    );
  });

  test('without a rate lets everything pass', () => {
    const flow = { rate: null, burst: 1 };
    expect(mayPass(taken(fullBucket(flow, 0), 1e9), flow, 1e9)).toBe(true);
    expect(waitFor(fullBucket(flow, 0), flow, 1e9)).toBe(0);
  });
});
