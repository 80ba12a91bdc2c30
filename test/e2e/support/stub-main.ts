import { systemClock } from '../../../agent/adapters/clock.ts';
import { runShell } from '../../../main/shell.ts';
import { openStubAgent } from '../../fakes/stub-agent.ts';

/** The shell around an agent without a world. */
runShell({
  clock: systemClock,
  openAgent: openStubAgent,
  fileBox: () => ({
    protection: 'file',
    backend: 'none',
    seal: async (plain) => plain,
    open: async (sealed) => sealed,
  }),
});
