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
    stored: async () => (store.unwritable ? null : JSON.stringify(store.current().settings, null, 2)),
    writable: async (yes) => {
      store.unwritable = !yes;
    },
    clean: async () => store.close(),
  };
});
