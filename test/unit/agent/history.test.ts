import { historyBehaviour } from '../../behaviors/history.ts';
import { FakeHistory } from '../../fakes/history.ts';

historyBehaviour('fake', async () => {
  const history = new FakeHistory();
  return { open: () => history, clean: async () => undefined };
});
