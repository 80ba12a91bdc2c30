import type { z } from 'zod';
import { fail, isFailure } from '../core/errors.ts';
import { verifyProof } from '../core/merkle.ts';
import type { Hex32 } from '../core/primitives.ts';
import type { claimRequest } from '../core/wire.ts';
import type { Context } from './context.ts';
import { findPublished } from './epochs.ts';
import type { Roots } from './roots.ts';
import { requireSigned } from './signing.ts';

/**
 * Checks an owner's signed claim and pays the gas for it; resolves when it is mined. The same claim again answers the
 * transaction that paid it. Throws UNAUTHORISED, REFUSED (proof, root, deadline, nothing due), NOT_FOUND (epoch), CHAIN_AWAY,
 * INSUFFICIENT_FUNDS (the relayer's own).
 */
export async function relayClaim(
  { db, domain, chain, options }: Context,
  roots: Roots,
  request: z.output<typeof claimRequest>,
): Promise<{ readonly txHash: Hex32 }> {
  const { value, signature, proof } = request;
  const { owner, amount } = value;
  requireSigned(domain, 'Claim', value, signature, owner);
  const epoch = await findPublished(db, request.epoch);
  if (epoch === null) fail('NOT_FOUND', `epoch ${request.epoch} has not been published`);
  if (!verifyProof(epoch.root, { owner, cumulative: amount }, proof)) {
    fail('REFUSED', `the proof does not lead to the root of epoch ${request.epoch}`);
  }
  const paid = async (): Promise<Hex32 | null> =>
    (await chain.claimedBy(owner)) < amount ? null : await chain.findClaim(value);
  const earlier = await paid();
  if (earlier !== null) return { txHash: earlier };
  if (amount <= (await chain.claimedBy(owner))) fail('REFUSED', 'this amount and more has been claimed before');
  if (value.deadline * 1_000 <= options.clock.now())
    fail('REFUSED', 'the deadline of the claim has passed; sign it anew');
  if (!(await roots.pays(epoch.epoch, epoch.tx_hash))) {
    fail('REFUSED', `the root of epoch ${request.epoch} does not pay yet or was disabled; ask for a new proof`);
  }
  try {
    const txHash = await chain.claimFor(value, request.epoch - 1, proof, signature);
    options.log('info', 'claim-relayed', { owner, amount: amount.toString(), txHash });
    return { txHash };
  } catch (error) {
    // The same claim may have been sent twice at once: the second finds the first one's payment.
    const twin = isFailure(error, 'REFUSED') ? await paid() : null;
    if (twin === null) throw error;
    return { txHash: twin };
  }
}
