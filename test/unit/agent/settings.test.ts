import { asFailure } from '../../../core/errors.ts';
import { parseSettings } from '../../../core/settings.ts';
import { settingsBehaviour } from '../../behaviors/settings.ts';
import { FakeSettings } from '../../fakes/small.ts';

settingsBehaviour('fake', async () => {
  const store = new FakeSettings();
  return {
    store,
    edit: async (text) => {
      try {
        store.repairFile(parseSettings(JSON.parse(text)));
      } catch (error) {
        store.breakFile(asFailure(error).message);
      }
    },
    clean: async () => store.close(),
  };
});
