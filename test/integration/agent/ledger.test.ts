import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ledgerFiles, openLedgerFile } from '../../../agent/adapters/ledger.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import { aLease, aResult, NOON, signature } from '../../behaviors/leases.ts';
import { ledgerBehaviour } from '../../behaviors/ledger.ts';
import { randomHex32 } from '../../support/random.ts';

ledgerBehaviour('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'idlemesh-ledger-'));
  const openLedger = ledgerFiles(folder);
  const network = randomHex32();
  return { open: () => openLedger(network), clean: async () => rmSync(folder, { recursive: true, force: true }) };
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'idlemesh-ledger-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('what was acknowledged survives kill -9', async () => {
  const path = join(folder, 'ledger.db');
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../support/ledger-child.ts'), path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += String(chunk);
    if (said.length > 67 * 200) child.kill('SIGKILL');
  });
  await new Promise((resolve) => child.once('close', resolve));
  const acknowledged = said.split('\n').slice(0, -1) as Hex32[];
  expect(acknowledged.length).toBeGreaterThanOrEqual(200);
  const ledger = openLedgerFile(path);
  const kept = new Set(ledger.leases(['held']).map((record) => record.lease.leaseId));
  expect(acknowledged.filter((leaseId) => !kept.has(leaseId))).toEqual([]);
  ledger.close();
});

// Mounting a small file system takes root.
test.skipIf(process.getuid?.() !== 0)(
  'a disk that is full refuses with DISK_FULL, loses nothing, and takes all again when there is room',
  () => {
    const disk = join(folder, 'disk');
    execFileSync('mkdir', [disk]);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]);
    try {
      const path = join(disk, 'ledger.db');
      const ledger = openLedgerFile(path);
      const first = aLease();
      ledger.hold(first, NOON);
      fill(join(disk, 'ballast'));
      const full = expect.objectContaining({ code: 'DISK_FULL' });
      const kept: Hex32[] = [first.leaseId];
      // Pages that are there already take a few more.
      const more = (): void => {
        for (let count = 0; count < 2000; count++) {
          const lease = aLease();
          ledger.hold(lease, NOON);
          kept.push(lease.leaseId);
        }
      };
      expect(more).toThrow(full);
      expect(() => ledger.finish(first.leaseId, aResult(first.leaseId), signature, NOON)).toThrow(full);
      unlinkSync(join(disk, 'ballast'));
      ledger.probe();
      ledger.finish(first.leaseId, aResult(first.leaseId), signature, NOON);
      ledger.close();
      const again = openLedgerFile(path);
      expect(again.leases(['held', 'finished']).map((record) => record.lease.leaseId)).toEqual(kept);
      expect(again.lease(first.leaseId)?.state).toBe('finished');
      again.close();
    } finally {
      execFileSync('umount', ['-l', disk]);
    }
  },
);

function fill(path: string): void {
  for (let size = 1024 * 1024; size >= 4096; size /= 2) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(size), { flag: 'a' });
    } catch {}
  }
}
