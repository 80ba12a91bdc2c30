import { systemClock } from '../../agent/adapters/clock.ts';
import { trafficFile } from '../../agent/adapters/traffic-file.ts';
import { createTraffic } from '../../agent/traffic.ts';

/** Counts and says how many bytes it has counted, until it is killed. */
const log = () => undefined;
const traffic = createTraffic({ clock: systemClock, log, store: trafficFile(process.argv[2] ?? '', log) });
await traffic.load();
setInterval(() => {
  traffic.add('cpu', 'in', 1_000);
  process.stdout.write(`${traffic.view(1).monthBytesIn}\n`);
}, 20);
