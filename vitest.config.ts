import { defineConfig } from 'vitest/config';

const minutes = (count: number): number => count * 60_000;

/** Real engines, chains and databases: one file at a time, so that files do not fight for the two cores of a small machine. */
const serial = { fileParallelism: false, globalSetup: ['test/setup/needs-engine.ts'] };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.{ts,tsx}'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          testTimeout: minutes(1),
          hookTimeout: minutes(2),
          ...serial,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: minutes(5),
          hookTimeout: minutes(5),
          ...serial,
        },
      },
    ],
  },
});
