import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { onVirtualDisplay } from '../../scripts/lib/display.mjs';
import { electronProgram } from '../../scripts/lib/electron.mjs';
import { setUp } from '../../scripts/lib/setup.mjs';
import { reportTo } from '../../scripts/lib/step.mjs';
import { ensurePackages } from '../../scripts/lib/system.mjs';
import { ROOT } from '../e2e/support/app.ts';
import { PracticeNetwork } from '../e2e/support/practice.ts';
import { TrayHost, type TrayItem } from '../e2e/support/tray.ts';
import { until } from '../e2e/support/until.ts';
import { freePort } from '../support/free-port.ts';
import { makeFloor } from './rest/floor.ts';
import { median, type Usage, watch } from './rest/processes.ts';

/**
 * What the app costs while there is nothing to do: started hidden, window never opened, wallet open, connected to a coordinator
 * that orders nothing, engine ready, machine in use (`waiting`) or paused by its owner (`--state paused`). Over the same time
 * Debian's `boinc-client` without a project; alone, right before and with the same switches, a bare Electron tray. The bare tray
 * does not run beside the app: what two programs of one file share would count half for each.
 */
const USAGE = '[--json] [--rounds N] [--seconds N] [--settle N] [--state waiting|paused]';
const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '120' },
    /** Before anything is measured: what a start leaves behind takes this long to settle. */
    settle: { type: 'string', default: '60' },
    state: { type: 'string', default: 'waiting' },
    'on-this-display': { type: 'boolean', default: false },
  },
});
const [rounds, seconds, settle] = [Number(values.rounds), Number(values.seconds), Number(values.settle)];
const FLOOR_S = 60;
const X_SOCKETS = '/tmp/.X11-unix';

type Round = { readonly app: Usage; readonly boinc: Usage; readonly floor: Usage };

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const over = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await over;
  clearTimeout(timer);
}

const pidOf = (child: ChildProcess): number => child.pid ?? 0;

async function measured(watched: readonly ChildProcess[], forSeconds: number): Promise<readonly Usage[]> {
  await delay(settle * 1000);
  const usages = await watch(watched.map(pidOf), forSeconds * 1000);
  for (const child of watched)
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended while it was watched`);
  return usages;
}

function electron(program: string, dataDir: string, words: readonly string[]): ChildProcess {
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return spawn(electronProgram(), [...sandbox, program, ...words], {
    stdio: 'ignore',
    env: {
      ...process.env,
      LANG: 'en_US.UTF-8',
      LANGUAGE: 'en',
      XDG_CONFIG_HOME: join(dataDir, 'config'),
      FLOOR_ICON: join(ROOT, 'resources/tray/waiting-22.png'),
    },
  });
}

async function atRest(tray: TrayItem): Promise<void> {
  const says = async (pattern: RegExp) => pattern.test(await tray.tooltip());
  await until('the app waiting for its owner to leave', () => says(/You are here/));
  if (values.state !== 'paused') return;
  await tray.click('Pause', 'Until I resume');
  await until('the app paused', () => says(/Paused/));
}

async function round(host: TrayHost, coordinatorUrl: string, folder: string): Promise<Round> {
  let before = host.count;
  const bare = electron(makeFloor(join(folder, 'floor')), folder, []);
  try {
    await host.item(before);
    const [floor] = await measured([bare], FLOOR_S);
    await end(bare);

    const boincDir = join(folder, 'boinc');
    mkdirSync(boincDir, { recursive: true });
    const port = String(await freePort());
    const boinc = spawn('boinc', ['--dir', boincDir, '--gui_rpc_port', port], { cwd: boincDir, stdio: 'ignore' });
    before = host.count;
    const app = electron(ROOT, folder, [
      `--idlemesh-data=${join(folder, 'app')}`,
      `--idlemesh-coordinator=${coordinatorUrl}`,
      `--idlemesh-catalogue=${join(ROOT, '.cache', 'catalogue.json')}`,
      `--idlemesh-catalogue-keys=${join(ROOT, '.cache', 'catalogue-keys.json')}`,
      '--idlemesh-idle-after=86400',
      '--hidden',
    ]);
    try {
      await atRest(await host.item(before));
      const [ours, theirs] = await measured([app, boinc], seconds);
      if (floor === undefined || ours === undefined || theirs === undefined) throw new Error('nothing was measured');
      return { app: ours, boinc: theirs, floor };
    } finally {
      await Promise.all([end(app), end(boinc)]);
    }
  } finally {
    await end(bare);
  }
}

function figuresOf(all: readonly Round[]): Readonly<Record<string, number | string>> {
  const of = (pick: (round: Round) => number, digits = 2): number => Number(median(all.map(pick)).toFixed(digits));
  return {
    pssRatioToFloor: of(({ app, floor }) => app.pssMb / floor.pssMb, 3),
    cpuRatioToBoinc: of(({ app, boinc }) => app.cpuPercent / boinc.cpuPercent),
    wakeupsRatioToBoinc: of(({ app, boinc }) => app.wakeupsPerS / boinc.wakeupsPerS),
    renderers: Math.max(...all.map(({ app }) => app.renderers)),
    pssMb: of(({ app }) => app.pssMb, 1),
    floorPssMb: of(({ floor }) => floor.pssMb, 1),
    boincPssMb: of(({ boinc }) => boinc.pssMb, 1),
    cpuPct: of(({ app }) => app.cpuPercent, 4),
    boincCpuPct: of(({ boinc }) => boinc.cpuPercent, 4),
    floorCpuPct: of(({ floor }) => floor.cpuPercent, 4),
    cpuTicksPct: of(({ app }) => app.cpuTicksPercent, 3),
    boincCpuTicksPct: of(({ boinc }) => boinc.cpuTicksPercent, 3),
    wakeupsPerS: of(({ app }) => app.wakeupsPerS),
    boincWakeupsPerS: of(({ boinc }) => boinc.wakeupsPerS),
    floorWakeupsPerS: of(({ floor }) => floor.wakeupsPerS),
    processes: of(({ app }) => app.processes, 0),
    floorProcesses: of(({ floor }) => floor.processes, 0),
    state: values.state,
    rounds: all.length,
    seconds,
    // BOINC asks every display it finds for its idle time: on a machine with many it costs more.
    xDisplays: existsSync(X_SOCKETS) ? readdirSync(X_SOCKETS).length : 0,
    load1: Number((loadavg()[0] ?? 0).toFixed(2)),
  };
}

async function measure(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'idlemesh-bench-rest-'));
  const host = await TrayHost.start();
  const network = await PracticeNetwork.start(join(folder, 'network'), ['--no-feed']);
  try {
    const all: Round[] = [];
    for (let number = 1; number <= rounds; number++) {
      const own = join(folder, `round-${number}`);
      mkdirSync(own);
      all.push(await round(host, network.coordinatorUrl, own));
      if (!values.json || rounds > 1) process.stderr.write(`${JSON.stringify(all.at(-1))}\n`);
    }
    process.stdout.write(`${JSON.stringify(figuresOf(all))}\n`);
  } finally {
    await network.stop();
    host.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (values['on-this-display']) await measure();
else if (process.platform !== 'linux') throw new Error('what a process costs is read from /proc: this needs Linux');
else if (!(rounds >= 1 && seconds >= 1 && settle >= 0 && ['waiting', 'paused'].includes(values.state))) {
  throw new Error(`npm run bench -- rest ${USAGE}`);
} else {
  if (values.json) reportTo(process.stderr);
  await setUp(['electron', 'bundle', 'display']);
  await ensurePackages(['boinc-client'], 'The comparison with BOINC', 'Install the BOINC client.');
  const self = [process.execPath, '--disable-warning=ExperimentalWarning', fileURLToPath(import.meta.url)];
  const [command = '', args] = onVirtualDisplay([...self, ...process.argv.slice(2), '--on-this-display']);
  const inner = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const [code] = await once(inner, 'exit');
  process.exitCode = Number(code ?? 1);
}
