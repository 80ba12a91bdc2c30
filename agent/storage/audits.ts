import { AUDIT } from '../../core/audit.ts';
import { asFailure, isFailure } from '../../core/errors.ts';
import type { Hex32 } from '../../core/primitives.ts';
import type { CoordinatorMessage, DeviceMessage } from '../../core/wire.ts';
import type { Clock, Log } from '../ports.ts';
import type { VaultDoor } from '../vault-door.ts';
import type { Agreements } from './agreements.ts';

export type Audit = Extract<CoordinatorMessage, { type: 'audit' }>;

/** After a vault that did not answer. */
const AGAIN_MS = 2_000;
const MOST_WAITING = 10_000;

type AuditsOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly agreements: Pick<Agreements, 'keptUnder'>;
  readonly door: () => VaultDoor | null;
  readonly skew: () => number;
  readonly send: (message: DeviceMessage) => boolean;
};

/** Answers audits one after the other, each for as long as there is time: a vault that is just starting is waited for. */
export function createAudits({ clock, log, agreements, door, skew, send }: AuditsOptions) {
  const waiting: Audit[] = [];
  let busy = false;
  let cancel = (): void => undefined;

  /** null: it must be asked again. */
  async function answerTo({ agreementId, seed }: Audit): Promise<{ readonly answer: Hex32 | null } | null> {
    const shards = await agreements.keptUnder(agreementId);
    if (shards === null) return { answer: null };
    const vault = door();
    if (vault === null) return null;
    try {
      const { blocks, blockBytes } = AUDIT;
      return { answer: await vault.audit({ shards, seed, blocks, blockBytes }) };
    } catch (error) {
      log('warn', 'audit-not-answered', { agreementId, detail: asFailure(error).message });
      return isFailure(error, 'NOT_FOUND') ? { answer: null } : null;
    }
  }

  async function work(): Promise<void> {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (clock.now() + skew() > next.answerBy) continue;
      const said = await answerTo(next);
      if (said === null) {
        waiting.unshift(next);
        cancel = clock.after(AGAIN_MS, consider);
        return;
      }
      send({ type: 'audit-answer', auditId: next.auditId, answer: said.answer });
    }
  }

  function consider(): void {
    if (busy) return;
    busy = true;
    cancel();
    void work()
      .catch((error: unknown) => log('error', 'audits-failed', { detail: asFailure(error).message }))
      .finally(() => {
        busy = false;
      });
  }

  return {
    asked(audit: Audit): void {
      if (waiting.length >= MOST_WAITING) return;
      waiting.push(audit);
      consider();
    },
    /** The vault answers again. */
    consider,
    /** Whoever asked is gone. */
    reset(): void {
      waiting.length = 0;
      cancel();
    },
  };
}
