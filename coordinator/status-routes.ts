import { Readable } from 'node:stream';
import { API } from '../core/api.ts';
import { EPOCHS_A_PAGE, LEAVES_A_PAGE } from '../core/status.ts';
import type { Context } from './context.ts';
import { csvOf, EpochData, epochsBefore, leavesFrom } from './epoch-data.ts';
import type { App } from './http.ts';
import { serve } from './router.ts';
import { Status } from './status.ts';
import { PAGE_POLICY, statusPage } from './status-page.ts';

/** What everybody may see of the network: its state, and the data sets of its epochs. */
export function addStatusRoutes(app: App, context: Context, devicesHere: () => number): void {
  const { db, options } = context;
  const status = new Status(context, devicesHere);
  const data = new EpochData(db, options.clock);

  serve(app, context, API.page, async ({ reply }) =>
    reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', PAGE_POLICY)
      .header('x-content-type-options', 'nosniff')
      .header('referrer-policy', 'no-referrer')
      .header('cache-control', 'public, max-age=3')
      .send(statusPage(await status.get(), context)),
  );
  serve(app, context, API.status, () => status.get());

  serve(app, context, API.epochs, async ({ query: { before } }) => {
    const rows = await epochsBefore(db, before ?? null, EPOCHS_A_PAGE + 1);
    const epochs = rows.slice(0, EPOCHS_A_PAGE);
    return { epochs: [...epochs], next: rows.length > EPOCHS_A_PAGE ? (epochs.at(-1)?.epoch ?? null) : null };
  });
  serve(app, context, API.leaves, async ({ params: { number }, query: { from } }) => {
    const tree = await data.tree(number);
    const leaves = [...leavesFrom(tree, from)];
    const next = from + LEAVES_A_PAGE;
    return { epoch: number, root: tree.root, leaves, next: next < tree.entitlements.length ? next : null };
  });
  serve(app, context, API.leavesCsv, async ({ params: { number }, reply }) => {
    const tree = await data.wholeTree(number);
    return reply
      .type('text/csv; charset=utf-8; header=present')
      .header('content-disposition', `attachment; filename="epoch-${number}.csv"`)
      .header('x-content-type-options', 'nosniff')
      .send(Readable.from(csvOf(tree)));
  });
}
