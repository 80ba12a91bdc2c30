import { startCoordinator } from '../../../coordinator/index.ts';
import { coordinatorOptions } from '../../support/network.ts';

/** A coordinator of its own process, to be killed. `argv`: its folder, the database, the chain as JSON. Says its address. */
const [dataDir = '', databaseUrl = '', chain = '{}'] = process.argv.slice(2);
const coordinator = await startCoordinator({
  ...coordinatorOptions(dataDir, JSON.parse(chain)),
  ...{ databaseUrl, epochEveryMs: 3_600_000 },
  log: (level, event, fields) => {
    if (level === 'error') process.stderr.write(`${event} ${JSON.stringify(fields)}\n`);
  },
});
process.stdout.write(`${coordinator.url}\n`);
