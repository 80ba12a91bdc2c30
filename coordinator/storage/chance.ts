import { randomInt } from 'node:crypto';

const TWO_47 = 2 ** 47;

/** 0 to below 1, and nobody can foresee it. */
export const unforeseen = (): number => randomInt(TWO_47) / TWO_47;
