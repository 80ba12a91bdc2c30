import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { databaseBehaviour } from '../../behaviors/database.ts';
import { newStore, openStore } from '../../support/store.ts';

databaseBehaviour('as this project has it', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'idlemesh-database-'));
  const store = await newStore();
  return {
    open: () => openStore(store, dir),
    async clean() {
      await store.drop();
      await rm(dir, { recursive: true, force: true });
    },
  };
});
