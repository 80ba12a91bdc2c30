import { join } from 'node:path';
import { buildImage } from '../../support/build-image.ts';

const MIB = 1024 * 1024;

/** Work that only computes, as an entry of the catalogue. */
export async function burner() {
  return {
    ...{ id: 'bench-burner', version: '0.1.0', loadsCode: false },
    image: await buildImage(join(import.meta.dirname, 'burner'), 'idlemesh/bench-burner:0.1.0'),
    limits: {
      ...{ cpuCores: 64, memoryBytes: 64 * MIB, pids: 32, scratchBytes: MIB, seconds: 3600 },
      ...{ maxInputBytes: 0, maxOutputBytes: 16 * MIB },
    },
  } as const;
}
