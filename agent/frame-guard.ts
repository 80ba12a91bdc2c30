import { fail } from '../core/errors.ts';
import { type Bucket, type Flow, filled, fullBucket, mayPass, taken } from '../core/token-bucket.ts';
import type { Clock } from './ports.ts';

/** Length (24 bits), type, flags, stream: RFC 9113, 4.1. */
const HEADER = 9;
const DATA = 0;
/** Data in smaller pieces costs the agent more than it carries. */
const WORTH_BYTES = 256;
/** Frames that carry nothing to speak of: acknowledgements, pings, settings, resets. */
const LIGHT: Flow = { rate: 1_000, burst: 5_000 };

/** Ends a peer that keeps the agent busy with frames that carry nothing. */
export type FrameGuard = {
  /** Throws WORKLOAD_FAILED. */
  readonly see: (chunk: Uint8Array) => void;
  /** What the agent sent entitles the peer to so many frames in answer. */
  readonly allow: (frames: number) => void;
};

export function createFrameGuard(clock: Pick<Clock, 'now'>): FrameGuard {
  let bucket: Bucket = fullBucket(LIGHT, clock.now());
  let allowed = 0;
  const header = new Uint8Array(HEADER);
  let have = 0;
  let left = 0;

  function count(): void {
    const bytes = ((header[0] ?? 0) << 16) | ((header[1] ?? 0) << 8) | (header[2] ?? 0);
    left = bytes;
    if (header[3] === DATA && bytes >= WORTH_BYTES) return;
    if (allowed > 0) {
      allowed -= 1;
      return;
    }
    bucket = filled(bucket, LIGHT, clock.now());
    if (!mayPass(bucket, LIGHT, 1)) fail('WORKLOAD_FAILED', 'the service floods the agent with frames');
    bucket = taken(bucket, 1);
  }

  return {
    see(chunk) {
      for (let at = 0; at < chunk.length; ) {
        if (left > 0) {
          const part = Math.min(left, chunk.length - at);
          left -= part;
          at += part;
          continue;
        }
        header[have++] = chunk[at++] ?? 0;
        if (have < HEADER) continue;
        have = 0;
        count();
      }
    },
    allow(frames) {
      allowed += frames;
    },
  };
}
