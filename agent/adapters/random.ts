import { randomBytes } from 'node:crypto';
import type { Random } from '../ports.ts';

export const systemRandom: Random = { hex32: () => `0x${randomBytes(32).toString('hex')}` };
