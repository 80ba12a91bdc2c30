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
