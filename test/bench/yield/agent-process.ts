import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { agreementFiles } from '../../../agent/adapters/agreement-files.ts';
import { catalogueFiles } from '../../../agent/adapters/catalogue-files.ts';
import { dockerContainers } from '../../../agent/adapters/docker.ts';
import { dockerImages } from '../../../agent/adapters/docker-images.ts';
import { dockerPremises } from '../../../agent/adapters/docker-premises.ts';
import { historyFile } from '../../../agent/adapters/history.ts';
import { imageRecordFile } from '../../../agent/adapters/image-record.ts';
import { ledgerFiles } from '../../../agent/adapters/ledger.ts';
import { fileLog } from '../../../agent/adapters/log.ts';
import { machineFacts } from '../../../agent/adapters/machine-facts.ts';
import { probeHost } from '../../../agent/adapters/probe-host.ts';
import { proofFile } from '../../../agent/adapters/proofs.ts';
import { systemRandom } from '../../../agent/adapters/random.ts';
import { receiptFiles } from '../../../agent/adapters/receipt-files.ts';
import { dialRelay } from '../../../agent/adapters/relay.ts';
import { systemSensors } from '../../../agent/adapters/sensors.ts';
import { systemDrives } from '../../../agent/adapters/store-folder.ts';
import { throwawayCertificate } from '../../../agent/adapters/throwaway-certificate.ts';
import { folderWorkspace } from '../../../agent/adapters/workspace.ts';
import { createAgent } from '../../../agent/agent.ts';
import type { Sensors, Source } from '../../../agent/ports.ts';
import { perLane } from '../../../core/primitives.ts';
import { defaultSettings } from '../../../core/settings.ts';
import type { GpuReading } from '../../../core/signals.ts';
import { FakeChain } from '../../fakes/chain.ts';
import { FakeNetwork } from '../../fakes/network.ts';
import { FakeNetworkMemory, FakeSettings, FakeVault } from '../../fakes/small.ts';
import { trafficOf } from '../../fakes/traffic.ts';
import { until } from '../../support/wait.ts';
import { leapingClock } from './clock.ts';
import type { FromAgent, Start, ToAgent } from './messages.ts';

/**
 * The real loop with the real engine and sensors, in a process of its own as in the app; in place of a coordinator, one in memory
 * that hands out the leases. The clock can leap, so that nobody waits out the idle time.
 */
const start: Start = JSON.parse(process.argv[2] ?? '');
const root = join(import.meta.dirname, '../../..');
const say = (message: FromAgent): void => {
  if (process.connected) process.send?.(message, undefined, {}, () => undefined);
};

/** Stands for a card that nobody else uses, where there is none. */
const idleGpu: Source<readonly GpuReading[]> = {
  name: 'stand-in',
  every: { rest: null, ready: 60_000, watch: 60_000 },
  timeoutMs: 1_000,
  read: async () => [
    {
      ...{ id: 'stand-in', name: 'Stand-in', temperatureC: 'unavailable' },
      ...{ busyByOthersPercent: 0, memoryBytes: 8 * 2 ** 30, memoryByOthersBytes: 0 },
    },
  ],
};

const clock = leapingClock();
const vault = new FakeVault();
const chain = new FakeChain();
const network = new FakeNetwork(chain, clock.now);
const defaults = defaultSettings();
const settings = new FakeSettings({
  limits: { ...defaults.limits, cpuPercent: start.cpuPercent },
  // The spinners of the arm that is not measured, and the bench itself, are no somebody at work.
  rules: { ...defaults.rules, cpuBusyPercent: null },
});
const log = fileLog(join(start.folder, 'logs'));
const system = systemSensors({ idle: null, folder: join(start.folder, 'workspace') });
const { sources } = system;
const sensors: Sensors = {
  ...system,
  sources: {
    ...sources,
    idle: sources.idle.map(clock.away),
    gpus: start.jobs.some(({ lane }) => lane === 'gpu') ? [idleGpu] : sources.gpus,
  },
};
const seccompProfile = await readFile(join(root, 'resources/seccomp.json'), 'utf8');

const agent = createAgent(
  {
    ...{ clock, vault, chain, settings, sensors, log, seccompProfile },
    random: systemRandom,
    containers: dockerContainers({ log }),
    images: dockerImages({ log }),
    premises: dockerPremises(),
    channels: { dial: dialRelay, certificate: throwawayCertificate },
    ...{ agreements: agreementFiles(join(start.folder, 'agreements'), log), drives: systemDrives },
    receipts: (networkId) => receiptFiles(join(start.folder, 'receipts', networkId)),
    lives: () => 'unknown',
    imageRecord: imageRecordFile(join(start.folder, 'images.json')),
    ...{ directory: network, traffic: trafficOf(clock) },
    networks: new FakeNetworkMemory(),
    openLedger: ledgerFiles(start.folder),
    history: historyFile(join(start.folder, 'history.db'), { log, now: clock.now }),
    workspace: folderWorkspace(join(start.folder, 'workspace')),
    probeHost: probeHost({ log }),
    machineFacts,
    proofs: proofFile(start.folder, log),
    catalogue: await catalogueFiles({
      ...{ folder: start.folder, log, catalogueFile: start.catalogueFile },
      keysFile: start.catalogueKeysFile,
    }),
    platform: `${process.platform}-${process.arch}`,
  },
  { version: '0.0.0', slots: perLane((lane) => start.jobs.filter((job) => job.lane === lane).length) },
);

process.on('message', (message: ToAgent) => {
  clock.leap(message.leapMs);
  agent.wake();
});
process.on('disconnect', () => void agent.stop().then(() => process.exit()));
agent.onSnapshot((snapshot) =>
  say({ kind: 'state', phases: snapshot.running.map(({ phase }) => phase), reason: snapshot.reason?.kind ?? null }),
);

await agent.start();
// The machine has been left alone for long.
clock.leap(start.idleMs);
agent.wake();
await until('the agent asks for work', () => network.slots > 0);
for (const { lane, workload, version, image, params } of start.jobs) {
  const lease = { lane, workload, version, image, params, price: 1n };
  network.issue({ ...lease, deadline: clock.now() + 365 * 86_400_000 }, 'nothing');
}
say({ kind: 'ready', device: vault.device });
