import type { Verifier } from './catalogue.ts';

/** An output that lies somewhere; read as often as is asked. */
export type OutputSource = {
  readonly bytes: number;
  readonly read: () => AsyncIterable<Uint8Array>;
};

/** Two outputs of one workload, of which its verifier is to tell whether they are the same answer. */
export type VerifierTask = {
  readonly verifier: Verifier;
  readonly outputs: readonly [OutputSource, OutputSource];
};
