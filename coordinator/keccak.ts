import { createKeccak } from 'hash-wasm';
import type { Keccak } from '../core/merkle.ts';
import type { Hex32 } from '../core/primitives.ts';
import type { ResultItem } from '../core/typed-data.ts';

/** Keccak-256 in WebAssembly, some six times as fast as the one of `core`, for trees of many owners. */
export async function fastKeccak(): Promise<Keccak> {
  const hasher = await createKeccak(256);
  return (data) => hasher.init().update(data).digest('binary');
}

const WORD = 32;
const ITEM = 5 * WORD;
/** A number's place in its word. */
const LOW = WORD - 8;

/** `resultsHash` of `core`, some eight times as fast. Numbers are safe integers from 0. */
export function resultsHashBy(keccak: Keccak, results: readonly ResultItem[]): Hex32 {
  const bytes = Buffer.alloc(ITEM * results.length);
  results.forEach(({ leaseId, outputHash, outputBytes, startedAt, finishedAt }, index) => {
    const at = ITEM * index;
    bytes.write(leaseId.slice(2), at, 'hex');
    bytes.write(outputHash.slice(2), at + WORD, 'hex');
    bytes.writeBigUInt64BE(BigInt(outputBytes), at + 2 * WORD + LOW);
    bytes.writeBigUInt64BE(BigInt(startedAt), at + 3 * WORD + LOW);
    bytes.writeBigUInt64BE(BigInt(finishedAt), at + 4 * WORD + LOW);
  });
  return `0x${Buffer.from(keccak(bytes)).toString('hex')}`;
}
