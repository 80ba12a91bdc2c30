import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { address, amount, hex32 } from '../../core/primitives.ts';
import { TYPES } from '../../core/typed-data.ts';

const names = Object.keys(TYPES) as readonly (keyof typeof TYPES)[];

const schema = z.strictObject({
  domain: z.strictObject({
    name: z.literal('Idlemesh'),
    version: z.literal('1'),
    chainId: z.number(),
    verifyingContract: address,
  }),
  typedData: z.array(
    z.strictObject({
      name: z.enum(names),
      value: z.record(z.string(), z.union([z.string(), z.number()])),
      structHash: hex32,
      digest: hex32,
    }),
  ),
  trees: z.array(
    z.strictObject({
      root: hex32,
      leaves: z.array(z.strictObject({ owner: address, cumulative: amount, leaf: hex32, proof: z.array(hex32) })),
    }),
  ),
});

/** Golden vectors, the same for TypeScript and Solidity. */
export const vectors = schema.parse(JSON.parse(readFileSync(join(import.meta.dirname, 'vectors.json'), 'utf8')));

/** Audits of data whose byte at i is the highest of i × 0x9e3779b1 in 32 bits; `answer` is null where that would be too much. */
export const auditVectors = z
  .array(
    z.strictObject({
      seed: hex32,
      totalBytes: z.number(),
      blocks: z.number(),
      blockBytes: z.number(),
      positions: z.array(z.number()),
      answer: hex32.nullable(),
    }),
  )
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, 'audit.json'), 'utf8')));

export const auditData = (bytes: number): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, at) => Math.imul(at, 0x9e3779b1) >>> 24);
