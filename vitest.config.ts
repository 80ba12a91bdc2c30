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
          exclude: ['test/integration/postgres/**'],
          testTimeout: minutes(1),
          hookTimeout: minutes(2),
          ...serial,
        },
      },
      {
        // The coordinator's tests once more, on PostgreSQL, and what only a shared database can show.
        test: {
          name: 'postgres',
          include: ['test/integration/{coordinator,postgres}/**/*.test.ts'],
          // The lock is the embedded database's alone, and the histories of the books bring both databases along.
          exclude: ['test/integration/coordinator/{lock,books}.test.ts'],
          env: { IDLEMESH_TEST_STORE: 'postgres' },
          testTimeout: minutes(1),
          hookTimeout: minutes(2),
          fileParallelism: false,
          globalSetup: ['test/setup/postgres.ts'],
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
