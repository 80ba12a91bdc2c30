import { defineConfig } from 'vitest/config';

const minutes = (count: number): number => count * 60_000;

/** Real engines, chains and databases: one file at a time, so that files do not fight for the two cores of a small machine. */
const serial = { fileParallelism: false, globalSetup: ['test/setup/needs-engine.ts'] };

/** They wait more than they work, each on books of its own. */
const pairs = { fileParallelism: true, maxWorkers: 2, globalSetup: ['test/setup/needs-engine.ts'] };
const COORDINATOR = 'test/integration/coordinator/**/*.test.ts';

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
          exclude: ['test/integration/postgres/**', COORDINATOR],
          testTimeout: minutes(1),
          hookTimeout: minutes(2),
          sequence: { groupOrder: 1 },
          ...serial,
        },
      },
      {
        test: {
          name: 'coordinator',
          include: [COORDINATOR],
          testTimeout: minutes(1),
          hookTimeout: minutes(2),
          sequence: { groupOrder: 2 },
          ...pairs,
        },
      },
      {
        // The coordinator's tests once more, on PostgreSQL, and what only a shared database can show.
        test: {
          name: 'postgres',
          include: [COORDINATOR, 'test/integration/postgres/**/*.test.ts'],
          sequence: { groupOrder: 3 },
          // The lock is the embedded database's alone, and the histories of the books bring both databases along.
          exclude: ['test/integration/coordinator/{lock,books}.test.ts'],
          env: { IDLEMESH_TEST_STORE: 'postgres' },
          testTimeout: minutes(1),
          hookTimeout: minutes(2),
          globalSetup: ['test/setup/needs-engine.ts', 'test/setup/postgres.ts'],
          maxWorkers: pairs.maxWorkers,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: minutes(5),
          hookTimeout: minutes(5),
          sequence: { groupOrder: 4 },
          ...serial,
        },
      },
    ],
  },
});
