import { API } from '../core/api.ts';
import { carryOut, shownActions } from './admin.ts';
import type { Context } from './context.ts';
import type { App } from './http.ts';
import { serve } from './router.ts';
import type { Sessions } from './sessions.ts';

const MOST_SHOWN = 100;

/** What those who run the network order, and what everybody may see of it. */
export function addAdminRoutes(app: App, context: Context, sessions: Pick<Sessions, 'apply' | 'heedRules'>): void {
  const hands = {
    apply: (effects: Parameters<Sessions['apply']>[0]) => sessions.apply(effects),
    heedRules: () => sessions.heedRules(),
  };
  serve(app, context, API.admin, ({ body }) => carryOut(context, hands, body));
  serve(app, context, API.adminActions, async () => ({
    actions: [...(await shownActions(context.db, MOST_SHOWN))],
  }));
}
