import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDb } from '../../../coordinator/db.ts';

describe('a lock left behind', () => {
  it('by a process whose number another one has now does not keep the folder', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'idlemesh-lock-'));
    await writeFile(join(dir, 'lock'), String(process.ppid));
    await expect(openDb(dir)).rejects.toMatchObject({ code: 'CONFLICT' });
    await writeFile(join(dir, 'lock'), `${process.ppid} 1`);
    const db = await openDb(dir);
    await expect(openDb(dir)).rejects.toMatchObject({ code: 'CONFLICT' });
    await db.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('by a process that died does not keep the folder', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'idlemesh-lock-'));
    await writeFile(join(dir, 'lock'), '999999999');
    await (await openDb(dir)).close();
    await rm(dir, { recursive: true, force: true });
  });
});
