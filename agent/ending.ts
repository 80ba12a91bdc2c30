import { asFailure } from '../core/errors.ts';
import type { Address } from '../core/primitives.ts';
import type { Ledger, Ports } from './ports.ts';

/** The end does not wait longer for an engine or a network that hangs: containers end by themselves when their door closes. */
const STOP_MS = 5_000;

/** Waits for `work`, but not for longer than `ms`; a failure of it is only told. */
export async function soon(
  { clock, log }: Pick<Ports, 'clock' | 'log'>,
  work: Promise<void>,
  ms = STOP_MS,
): Promise<void> {
  let cancel = (): void => undefined;
  const late = new Promise<void>((resolve) => {
    cancel = clock.after(ms, () => {
      log('warn', 'stopped-late', {});
      resolve();
    });
  });
  const told = work.catch((error: unknown) => log('warn', 'farewell-failed', { detail: asFailure(error).message }));
  await Promise.race([told, late]);
  cancel();
}

/** Removes every container of this device; one that stays ends by itself: its door closes with this process. */
export async function removeAll(
  { containers, log }: Pick<Ports, 'containers' | 'log'>,
  device: Address,
): Promise<void> {
  try {
    const own = await containers.list(device);
    await Promise.all(own.map((container) => containers.remove(container.id)));
  } catch (error) {
    log('warn', 'containers-left', { detail: asFailure(error).message });
  }
}

/** Only a lease in work has files: it goes on with them, after the next start too. Nothing is known without a ledger. */
export async function sweep(
  { workspace, log }: Pick<Ports, 'workspace' | 'log'>,
  ledger: Ledger | null,
): Promise<void> {
  if (ledger === null) return;
  try {
    await workspace.sweep((leaseId) => ledger.lease(leaseId)?.state === 'held');
  } catch (error) {
    log('warn', 'files-not-removed', { detail: asFailure(error).message });
  }
}
