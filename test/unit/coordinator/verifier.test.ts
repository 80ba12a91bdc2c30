import { verifierBehaviour } from '../../behaviors/verifier.ts';
import { FakeVerifier } from '../../fakes/verifier.ts';
import { VERIFIER } from '../../support/compared.ts';

verifierBehaviour('the fake', async () => ({
  run: new FakeVerifier().run,
  verifier: VERIFIER,
  left: async () => 0,
  close: async () => undefined,
}));
