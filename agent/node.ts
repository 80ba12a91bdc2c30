import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fail } from '../core/errors.ts';
import type { Settings } from '../core/settings.ts';
import { agreementFiles } from './adapters/agreement-files.ts';
import { catalogueFiles } from './adapters/catalogue-files.ts';
import { rpcChain } from './adapters/chain.ts';
import { systemClock } from './adapters/clock.ts';
import { coordinatorDirectory } from './adapters/coordinator.ts';
import { dockerContainers } from './adapters/docker.ts';
import { connect } from './adapters/docker-connection.ts';
import { dockerImages } from './adapters/docker-images.ts';
import { dockerPremises } from './adapters/docker-premises.ts';
import { historyFile } from './adapters/history.ts';
import { homeOf, livesAt } from './adapters/home.ts';
import { imageRecordFile } from './adapters/image-record.ts';
import { ledgerFiles } from './adapters/ledger.ts';
import { takeLock } from './adapters/lock.ts';
import { machineFacts } from './adapters/machine-facts.ts';
import { fileNetworks } from './adapters/networks.ts';
import { probeHost } from './adapters/probe-host.ts';
import { proofFile } from './adapters/proofs.ts';
import { systemRandom } from './adapters/random.ts';
import { receiptFiles } from './adapters/receipt-files.ts';
import { dialRelay } from './adapters/relay.ts';
import { systemSensors } from './adapters/sensors.ts';
import { openSettings } from './adapters/settings.ts';
import { systemDrives } from './adapters/store-folder.ts';
import { throwawayCertificate } from './adapters/throwaway-certificate.ts';
import { trafficFile } from './adapters/traffic-file.ts';
import { openVault } from './adapters/vault.ts';
import { folderWorkspace } from './adapters/workspace.ts';
import { createAgent } from './agent.ts';
import type { NodeAgentOptions, OpenedAgent } from './api.ts';
import { createTraffic } from './traffic.ts';

/** The agent on a real machine. Throws CONFLICT (the data folder is in use), VAULT_UNREADABLE, DISK_FULL, NOT_FOUND. */
export async function openNodeAgent(options: NodeAgentOptions): Promise<OpenedAgent> {
  const { dataDir, log, initial } = options;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const release = takeLock(resolve(dataDir, 'lock'));
  try {
    const seccompProfile = await readFile(options.seccompFile, 'utf8').catch((error: unknown) =>
      fail('NOT_FOUND', `the seccomp profile ${options.seccompFile} is missing; install again`, {}, error),
    );
    const vault = await openVault(join(dataDir, 'vault.json'), options.secretBox);
    const settings = await openSettings({
      path: join(dataDir, 'settings.json'),
      log,
      initial: (defaults): Settings => ({
        ...defaults,
        ...(initial?.coordinatorUrl === undefined ? {} : { coordinatorUrl: initial.coordinatorUrl }),
        rules: { ...defaults.rules, ...initial?.rules },
        sharing: { ...defaults.sharing, ...(initial?.mode === undefined ? {} : { mode: initial.mode }) },
      }),
    });
    const allowRemote = (): boolean => settings.current().settings.engine.allowRemote;
    const docker = connect();
    const containers = dockerContainers({ log, allowRemote, docker });
    const traffic = createTraffic({ clock: systemClock, log, store: trafficFile(join(dataDir, 'traffic.json'), log) });
    const agent = createAgent(
      {
        ...{ log, vault, settings, seccompProfile, clock: systemClock, random: systemRandom, chain: rpcChain() },
        sensors: systemSensors({
          idle: options.idleMs === undefined ? null : [{ name: 'system', timeoutMs: 1_000, idleMs: options.idleMs }],
          folder: join(dataDir, 'workspace'),
          scripts: join(dirname(options.seccompFile), 'sensors'),
          ourCpuSeconds: () => containers.cpuSeconds(vault.device),
        }),
        containers,
        images: dockerImages({ log, docker }),
        imageRecord: imageRecordFile(join(dataDir, 'images.json')),
        ...{ premises: dockerPremises({ docker }), lives: livesAt, home: homeOf(resolve(dataDir, 'lock')) },
        machineFacts,
        agreements: agreementFiles(join(dataDir, 'agreements'), log),
        drives: systemDrives,
        receipts: (networkId) => receiptFiles(join(dataDir, 'receipts', networkId)),
        channels: { dial: dialRelay, certificate: throwawayCertificate },
        ...{ traffic, directory: coordinatorDirectory({ log, traffic }) },
        networks: fileNetworks(dataDir),
        openLedger: ledgerFiles(dataDir),
        history: historyFile(join(dataDir, 'history.db'), { log, now: systemClock.now }),
        workspace: folderWorkspace(join(dataDir, 'workspace')),
        probeHost: probeHost({ log }),
        proofs: proofFile(dataDir, log),
        catalogue: await catalogueFiles({
          ...{ folder: dataDir, log },
          ...{ catalogueFile: options.catalogueFile, keysFile: options.catalogueKeysFile },
        }),
        platform: `${process.platform}-${process.arch}`,
      },
      { version: options.version },
    );
    const stop = async (): Promise<void> => {
      await agent.stop();
      release();
    };
    return { agent: { ...agent, stop }, owner: vault.owner, device: vault.device };
  } catch (error) {
    release();
    throw error;
  }
}
