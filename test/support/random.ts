import { randomBytes } from 'node:crypto';
import type { Address, Hex32 } from '../../core/primitives.ts';

export const randomHex32 = (): Hex32 => `0x${randomBytes(32).toString('hex')}`;
export const randomAddress = (): Address => `0x${randomBytes(20).toString('hex')}`;
