import { openLedgerFile } from '../../agent/adapters/ledger.ts';
import { aLease } from '../behaviors/leases.ts';

/** Appends leases until killed, and says each one's id once it is acknowledged. */
const ledger = openLedgerFile(process.argv[2] ?? '');
for (;;) {
  const lease = aLease();
  ledger.hold(lease, Date.now());
  process.stdout.write(`${lease.leaseId}\n`);
}
