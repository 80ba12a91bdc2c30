import { ledgerBehaviour } from '../../behaviors/ledger.ts';
import { FakeDisk, FakeLedger } from '../../fakes/ledger.ts';

ledgerBehaviour('fake', async () => {
  const disk = new FakeDisk();
  return { open: () => new FakeLedger(disk), clean: async () => undefined };
});
