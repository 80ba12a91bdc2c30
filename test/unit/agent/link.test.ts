import { linkBehaviour } from '../../behaviors/link.ts';
import { FakeChain } from '../../fakes/chain.ts';
import { FakeNetwork } from '../../fakes/network.ts';

linkBehaviour('fake', async () => {
  const directory = new FakeNetwork(new FakeChain(), Date.now);
  return {
    ...{ directory, url: 'http://fake' },
    down: async () => directory.become(false),
    up: async () => directory.become(true),
    work: null,
  };
});
