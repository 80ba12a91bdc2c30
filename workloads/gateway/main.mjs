import { Resolver } from 'node:dns/promises';
import { chmod } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { readConfig, readControl } from './config.mjs';
import { dial } from './dial.mjs';
import { createMeter } from './meter.mjs';
import { ownRanges } from './own.mjs';
import { createProxy } from './proxy.mjs';
import { createReports } from './reports.mjs';

const SOCKET = '/run/egress/proxy.sock';

/** @param {string} line */
const say = (line) => process.stderr.write(`${line}\n`);

/** @type {(ms: number, run: () => void) => () => void} */
const after = (ms, run) => {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
};

const resolver = new Resolver({ timeout: 2_000, tries: 2 });

/** @param {string} host */
async function resolve(host) {
  const [four, six] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  return [four, six].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
}

/** @param {string} line the first of its input */
async function start(line) {
  const { allow, maxBytes, maxConnections, refuse, bytesPerSecond } = readConfig(line);
  const own = [...(await ownRanges()), ...refuse];
  const now = () => performance.now();
  const meter = createMeter({ maxBytes, bytesPerSecond, now, after });
  const reports = createReports({ say, after, counted: meter.counted });
  const proxy = createProxy({
    meter: { ...meter, pass: (way, bytes) => meter.pass(way, bytes).finally(reports.changed) },
    maxConnections,
    dial: (target) => dial(target, { rules: allow, resolve, own }),
    refused: reports.refused,
  });
  await new Promise((done, failed) => {
    proxy.once('error', failed);
    proxy.listen(SOCKET, () => done(undefined));
  });
  // The work runs as another user.
  await chmod(SOCKET, 0o666);
  say('{"ready":true}');
  return (/** @type {string} */ next) => {
    const control = readControl(next);
    if (control.bytesPerSecond !== undefined) meter.limit(control.bytesPerSecond);
  };
}

/** @type {((line: string) => void) | null} */
let control = null;
for await (const line of createInterface({ input: process.stdin })) {
  if (control !== null) control(line);
  else {
    control = await start(line).catch((error) => {
      say(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }));
      process.exit(1);
    });
  }
}
// Nobody holds the door any more.
process.exit(0);
