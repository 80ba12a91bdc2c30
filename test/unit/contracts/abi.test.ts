import { Interface } from 'ethers';
import { describe, expect, it } from 'vitest';
import { loadArtifact } from '../../../contracts/compile.ts';
import { DISTRIBUTOR_ABI, TOKEN_ABI } from '../../../core/abi.ts';

const namesOf = (abi: Interface) =>
  abi.fragments.flatMap((fragment) =>
    ['function', 'event', 'error'].includes(fragment.type) ? [`${fragment.type} ${fragment.format('sighash')}`] : [],
  );
const compiled = async (name: 'Distributor' | 'PracticeToken') =>
  namesOf(new Interface(JSON.stringify((await loadArtifact(name)).abi)));

describe('the ABI that TypeScript uses', () => {
  it('lists what the distributor has of its own, and nothing that it has not', async () => {
    const ours = namesOf(new Interface(DISTRIBUTOR_ABI));
    const real = await compiled('Distributor');
    expect(ours.filter((name) => !real.includes(name))).toEqual([]);
    // From OpenZeppelin, not of ours.
    const inherited = /eip712Domain|EIP712DomainChanged|InvalidShortString|StringTooLong|SafeERC20/;
    expect(real.filter((name) => !ours.includes(name) && !inherited.test(name))).toEqual([]);
  }, 60_000);

  it('lists only what the token has', async () => {
    const real = await compiled('PracticeToken');
    expect(namesOf(new Interface(TOKEN_ABI)).filter((name) => !real.includes(name))).toEqual([]);
  }, 60_000);
});
