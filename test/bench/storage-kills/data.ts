import { createHash } from 'node:crypto';

/** Bytes that whoever knows the seed can make again. */
export const dataOf = (seed: string, bytes: number): Buffer =>
  createHash('shake256', { outputLength: bytes }).update(seed).digest();
