import { z } from 'zod';
import { byteCount, hex32, unixMs } from './primitives.ts';

/**
 * Proof of a GPU's throughput (docs/decisions/0022, 0028), over the session:
 *
 *   gpu-setup ──► gpu-challenge ──► gpu-commitment ──► gpu-openings ──► gpu-opened ──► gpu-verdict
 *                       └──────── gpu-declined ◄────────────┘
 *
 * Each of the coordinator's questions may come again, after a connection was lost, and is answered again.
 */

/** Most rows that are opened in one proof. */
const OPENINGS = 256;
/** Levels of a tree over them all. */
const PATH = 32;
const row = z.number().int().nonnegative();

const opening = z.strictObject({ row, digest: hex32, path: z.array(hex32).max(PATH) });

/** Why a proof does not count. */
export const PROOF_FAULTS = ['late', 'other-rows', 'not-committed', 'wrong-row'] as const;
export type ProofFault = (typeof PROOF_FAULTS)[number];

export const gpuDeviceMessages = [
  z.strictObject({
    type: z.literal('gpu-setup'),
    /** Another one when the GPU, its driver or the engine is another, and nothing else can be read out of it; null: there is no GPU to prove. */
    setup: hex32.nullable(),
    memoryBytes: byteCount,
  }),
  z.strictObject({ type: z.literal('gpu-commitment'), challengeId: hex32, root: hex32 }),
  z.strictObject({ type: z.literal('gpu-opened'), challengeId: hex32, openings: z.array(opening).max(OPENINGS) }),
  /** Its owner is back, or it does not know the challenge any more: nobody's fault, and asked again later. */
  z.strictObject({ type: z.literal('gpu-declined'), challengeId: hex32, detail: z.string().max(200) }),
] as const;

const challenge = z.strictObject({
  type: z.literal('gpu-challenge'),
  challengeId: hex32,
  workload: z.string().max(64),
  version: z.string().max(32),
  image: z.string().max(128),
  /** Its bytes are the input of the workload. */
  seed: hex32,
  size: z.number().int().positive(),
  rounds: z.number().int().positive(),
  deadline: unixMs,
});
export type GpuChallenge = z.output<typeof challenge>;

export const gpuCoordinatorMessages = [
  challenge,
  z.strictObject({ type: z.literal('gpu-openings'), challengeId: hex32, rows: z.array(row).max(OPENINGS) }),
  z.strictObject({
    type: z.literal('gpu-verdict'),
    challengeId: hex32,
    verdict: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('proven'), multiplicationsPerSecond: z.number().positive() }),
      z.strictObject({ kind: z.literal('refuted'), why: z.enum(PROOF_FAULTS) }),
    ]),
  }),
] as const;
