import { createHash } from 'node:crypto';
import { catalogue } from '../../core/catalogue.ts';
import type { Hex32 } from '../../core/primitives.ts';
import { rowTree } from '../../core/row-tree.ts';
import type { GpuChallenge } from '../../core/wire-gpu.ts';
import type { TestDevice } from './device.ts';
import { rowDigests } from './matrices.ts';
import { PRICE } from './network.ts';
import { randomHex32 } from './random.ts';

export const PROVER = { id: 'modmatrix', image: `sha256:${'0e'.repeat(32)}` } as const;
/** GPU work for which nothing, and for which something, must have been proven. */
export const ANY = { id: 'any-gpu', image: `sha256:${'0a'.repeat(32)}` } as const;
export const FAST = { id: 'fast-gpu', image: `sha256:${'0f'.repeat(32)}` } as const;
export const KNOWN = [PROVER, ANY, FAST];

const need = { api: 'opencl', vendors: ['nvidia'], memoryBytes: 1000 };
const entry = {
  ...{ version: '1.0.0', lane: 'gpu', title: { en: 'G', ja: 'ジ' }, network: 'none', comparison: 'exact' },
  limits: {
    ...{ cpuCores: 1, memoryBytes: 1e8, pids: 8, scratchBytes: 1e6, seconds: 60 },
    ...{ maxInputBytes: 1_000_000, maxOutputBytes: 1_000_000 },
  },
  ...{ price: { base: PRICE.toString(), perInputMiB: '0' }, params: {} },
};
/** `least`: multiplications a second for the faster work. A proof is of 64 rows, so all of them are opened. */
export const gpuCatalogue = (least: number) =>
  catalogue.parse({
    version: 1,
    entries: [
      { ...entry, ...PROVER, params: { size: ['32'], rounds: ['2'] }, gpu: { ...need, proves: true } },
      { ...entry, ...ANY, gpu: need },
      { ...entry, ...FAST, gpu: { ...need, leastMultiplicationsPerSecond: least } },
    ],
  });
export const MULTIPLICATIONS = 2 * 32 ** 3;

/** The GPU of a device of a test: it computes everything, unless told to leave some rows out, and answers what it is asked. */
export class GpuProver {
  readonly device: TestDevice;
  /** Every so many-th row is a guess. */
  skips = 0;
  setup = randomHex32();
  #rows: readonly Buffer[] = [];

  constructor(device: TestDevice) {
    this.device = device;
  }

  say(setup: Hex32 | null = this.setup): void {
    this.device.send({ type: 'gpu-setup', setup, memoryBytes: setup === null ? 0 : 1e9 });
    this.device.send({ type: 'ready', lane: 'gpu', slots: 1 });
  }

  challenged(from = 0): Promise<GpuChallenge> {
    return this.device.told('gpu-challenge', () => true, from);
  }

  /** Computes the rows; answers their root. */
  compute({ seed, size, rounds }: GpuChallenge): Hex32 {
    const all = rowDigests(Buffer.from(seed.slice(2), 'hex'), size, rounds);
    this.#rows = Array.from({ length: size * rounds }, (_, row) =>
      this.skips > 0 && row % this.skips === 0
        ? createHash('sha256').update(`guess ${row}`).digest()
        : all.subarray(32 * row, 32 * row + 32),
    );
    return rowTree(this.#rows).root;
  }

  commit(asked: GpuChallenge): void {
    this.device.send({ type: 'gpu-commitment', challengeId: asked.challengeId, root: this.compute(asked) });
  }

  /** Opens what is asked for. */
  async open({ challengeId }: GpuChallenge, from = 0): Promise<readonly number[]> {
    const { rows } = await this.device.told('gpu-openings', (asked) => asked.challengeId === challengeId, from);
    const tree = rowTree(this.#rows);
    const openings = rows.map((row) => ({
      ...{ row, path: [...tree.pathOf(row)] },
      digest: `0x${this.#rows[row]?.toString('hex') ?? ''}` as Hex32,
    }));
    this.device.send({ type: 'gpu-opened', challengeId, openings });
    return rows;
  }

  async judged({ challengeId }: GpuChallenge) {
    return (await this.device.told('gpu-verdict', (one) => one.challengeId === challengeId)).verdict;
  }

  /** A whole proof, from a position in the device's messages on. */
  async prove(from = 0) {
    const asked = await this.challenged(from);
    this.commit(asked);
    await this.open(asked, from);
    return await this.judged(asked);
  }
}
