import { z } from 'zod';
import { decodeAmount } from './money.ts';

/** Milliseconds since the Unix epoch. */
export type UnixMs = number;
/** `0x` and 64 lower-case hex digits. */
export type Hex32 = `0x${string}`;
/** EIP-55 or lower-case account address; compare with `sameAddress`. */
export type Address = `0x${string}`;
/** A 65-byte secp256k1 signature, `0x` and 130 hex digits. */
export type Signature = `0x${string}`;

export const hex32 = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/, 'expected 0x and 64 lower-case hex digits')
  .transform((text) => text as Hex32);
export const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, 'expected an account address')
  .transform((text) => text.toLowerCase() as Address);
export const signature = z
  .string()
  .regex(/^0x[0-9a-fA-F]{130}$/, 'expected a 65-byte signature')
  .transform((text) => text as Signature);
/** On the wire a decimal string of base units; in memory a bigint. */
export const amount = z
  .string()
  .regex(/^(0|[1-9]\d{0,77})$/, 'expected a decimal string of base units')
  .transform((text, context) => {
    try {
      return decodeAmount(text);
    } catch {
      context.addIssue({ code: 'custom', message: 'expected at most 2^256-1' });
      return z.NEVER;
    }
  });
export const unixMs = z.number().int().nonnegative().max(8_640_000_000_000_000);
export const byteCount = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);

export const sameAddress = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

export const ZERO_HASH: Hex32 = `0x${'0'.repeat(64)}`;

export const LANES = ['cpu', 'gpu', 'bandwidth', 'storage'] as const;
export type Lane = (typeof LANES)[number];
export const lane = z.enum(LANES);

/** Lanes that work comes to as jobs; the others lend what is there all the time. */
export const JOB_LANES = ['cpu', 'gpu'] as const satisfies readonly Lane[];
export type JobLane = (typeof JOB_LANES)[number];
export const isJobLane = (value: Lane): value is JobLane => value === 'cpu' || value === 'gpu';

export type PerLane<T> = Readonly<Record<Lane, T>>;

export const perLane = <T>(make: (lane: Lane) => T): PerLane<T> => ({
  cpu: make('cpu'),
  gpu: make('gpu'),
  bandwidth: make('bandwidth'),
  storage: make('storage'),
});

/** The value under a key from outside; a name that every object has, such as `constructor`, is none. */
export const ownValue = <T>(record: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined;

/** A reading that may be impossible; unknown is shown as unknown, never as 0. */
export type Known<T> = T | 'unknown';
