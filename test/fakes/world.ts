import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { throwawayCertificate } from '../../agent/adapters/throwaway-certificate.ts';
import { type AgentOptions, createAgent } from '../../agent/agent.ts';
import type { Agent } from '../../agent/api.ts';
import type { Ports, Traffic } from '../../agent/ports.ts';
import type { CatalogueEntry } from '../../core/catalogue.ts';
import type { MachineFacts } from '../../core/doctor.ts';
import { fail } from '../../core/errors.ts';
import type { Hex32 } from '../../core/primitives.ts';
import type { Lease } from '../../core/wire.ts';
import { randomHex32 } from '../support/random.ts';
import { releaseEntry, signed } from '../support/signed.ts';
import { FakeAgreementShelf, FakeReceiptStore, fakeDrives } from './agreements.ts';
import { FakeShelf } from './catalogue.ts';
import { FakeChain } from './chain.ts';
import { FakeClock } from './clock.ts';
import { FakeContainers } from './containers.ts';
import { FakeHistory } from './history.ts';
import { FakeImageRecord, FakeImages, FakePremises } from './images.ts';
import { FakeDisk, FakeLedger } from './ledger.ts';
import { FakeNetwork } from './network.ts';
import { FakeProbeHost, FakeProofs } from './proof.ts';
import { FakeNetworkMemory, FakeSensors, FakeSettings, FakeVault, FakeWorkspace } from './small.ts';
import { FakeTrafficStore, trafficOf } from './traffic.ts';

const MIB = 1024 * 1024;
export const IMAGE = `sha256:${'ab'.repeat(32)}`;
export const ENTRY: CatalogueEntry = {
  ...{
    id: 'transcode',
    version: '0.1.0',
    lane: 'cpu',
    title: { en: 'Transcode', ja: '変換' },
    image: IMAGE,
    pull: null,
  },
  limits: {
    ...{ cpuCores: 4, memoryBytes: 1024 * MIB, pids: 64, scratchBytes: 512 * MIB, seconds: 60 },
    ...{ maxInputBytes: 256 * MIB, maxOutputBytes: 1 * MIB },
  },
  ...{
    ...{ purpose: 'work', kind: 'batch', network: 'none', gpu: null, loadsCode: false },
    comparison: 'exact',
    store: null,
    ...{ control: false, checkpoint: false },
    price: { base: 10n, perInputMiB: 2n },
    params: { height: ['480', '720'] },
  },
};

const MACHINE: MachineFacts = {
  ...{ platform: 'linux', installed: ['docker'], virtualisation: 'unneeded', wsl: 'unneeded', gpus: [] },
};

/** A whole device's surroundings, all fake. Agents come and go in it; disk, network and chain stay. */
export class World {
  readonly clock: FakeClock;
  readonly sensors = new FakeSensors();
  readonly settings = new FakeSettings();
  readonly containers: FakeContainers;
  readonly images: FakeImages;
  readonly imageRecord: FakeImageRecord;
  readonly premises: FakePremises;
  readonly chain: FakeChain;
  readonly network: FakeNetwork;
  readonly disk: FakeDisk;
  readonly vault: FakeVault;
  readonly networks: FakeNetworkMemory;
  /** When the app was made. */
  readonly #born: number;
  readonly #lives: { alive: boolean }[] = [];
  readonly history: FakeHistory;
  /** What was counted, as the file has it, and who counts. */
  readonly traffic: FakeTrafficStore;
  readonly meter: Traffic;
  readonly workspace: FakeWorkspace;
  readonly probeHost = new FakeProbeHost();
  readonly proofs: FakeProofs;
  /** The ledger cannot be read: no decision is possible. */
  unreadable = false;
  /** The one workload of the catalogue that came with the app. */
  entry: CatalogueEntry;
  /** What else is in the catalogue. */
  others: readonly CatalogueEntry[] = [];
  readonly shelf: FakeShelf;
  readonly agreements: FakeAgreementShelf;
  readonly receipts: FakeReceiptStore;
  readonly logged: { readonly event: string; readonly fields: unknown }[] = [];

  constructor(before?: World) {
    this.clock = new FakeClock(before?.clock.now());
    this.containers = before?.containers ?? new FakeContainers();
    this.images = before?.images ?? new FakeImages(this.containers);
    this.premises = before?.premises ?? new FakePremises(this.containers);
    this.imageRecord = before?.imageRecord ?? new FakeImageRecord();
    this.chain = before?.chain ?? new FakeChain();
    this.network = before?.network ?? new FakeNetwork(this.chain, this.clock.now);
    this.disk = before?.disk ?? new FakeDisk();
    this.vault = before?.vault ?? new FakeVault();
    this.networks = before?.networks ?? new FakeNetworkMemory();
    this.agreements = before?.agreements ?? new FakeAgreementShelf();
    this.receipts = before?.receipts ?? new FakeReceiptStore();
    this.proofs = before?.proofs ?? new FakeProofs();
    this.traffic = before?.traffic ?? new FakeTrafficStore();
    this.meter = trafficOf(this.clock, this.traffic);
    this.history = before?.history ?? new FakeHistory();
    this.workspace = new FakeWorkspace(before?.workspace.path ?? mkdtempSync(join(tmpdir(), 'idlemesh-agent-')));
    this.entry = before?.entry ?? ENTRY;
    this.shelf = new FakeShelf(() => signed(this.#born, { entries: [this.entry, ...this.others].map(releaseEntry) }));
    this.#born = before === undefined ? this.clock.now() : before.#born;
    this.shelf.memory = before?.shelf.memory ?? null;
    this.containers.images.add(IMAGE);
    this.network.now = this.clock.now;
    this.network.up = true;
  }
  /** One whose jobs finish only when told. */
  static held(): World {
    const world = new World();
    world.containers.automatic = false;
    return world;
  }
  ports(): Ports {
    return {
      ...this.#shared(),
      settings: this.settings,
      openLedger: () => {
        const ledger = new FakeLedger(this.disk);
        const leases = ledger.leases;
        ledger.leases = (states) => (this.unreadable ? fail('DISK_FULL', 'disk I/O error') : leases(states));
        return ledger;
      },
      history: this.history,
      random: { hex32: randomHex32 },
      log: (_level, event, fields) => this.logged.push({ event, fields }),
      directory: this.network,
      machineFacts: async () => MACHINE,
      traffic: this.meter,
      channels: { dial: () => fail('COORDINATOR_AWAY', 'there is no relay here'), certificate: throwawayCertificate },
      ...{ catalogue: this.shelf, agreements: this.agreements, drives: fakeDrives() },
      receipts: () => this.receipts,
      ...{ probeHost: this.probeHost, proofs: this.proofs },
      ...{ premises: this.premises, lives: (home) => this.premises.lives.get(home) ?? 'unknown' },
      ...{ seccompProfile: '{}', platform: 'test', home: 'home of the test' },
    };
  }
  #shared() {
    const { clock, vault, sensors, containers, images, imageRecord, chain, workspace, networks } = this;
    return { clock, vault, sensors, containers, images, imageRecord, chain, workspace, networks };
  }
  async start(options: Partial<AgentOptions> = {}): Promise<Agent> {
    const life = { alive: true };
    this.#lives.push(life);
    const ports = this.ports();
    const agent = createAgent(
      {
        ...ports,
        containers: mortal(ports.containers, life),
        workspace: mortal(ports.workspace, life),
        vault: mortal(ports.vault, life),
        openLedger: (networkId) => mortal(ports.openLedger(networkId), life),
      },
      { version: '0.0.0', ...options },
    );
    await agent.start();
    return agent;
  }
  /**
   * As `kill -9` does: the agents stop between two instructions. Their time stands still, their connection and their
   * containers' doors are closed, and nothing they still call has an effect. Another world goes on with what remains.
   */
  kill(): World {
    for (const life of this.#lives) life.alive = false;
    this.network.become(false);
    for (const job of this.containers.jobs()) this.containers.end(job.id, 143);
    return new World(this);
  }
  /** An agent that waits for work. */
  async ready(): Promise<Agent> {
    const agent = await this.start();
    await this.until(() => this.network.slots === 1, 'the device asks for work');
    return agent;
  }
  /** An agent with one job that runs and has its whole input. */
  async running(): Promise<{ readonly agent: Agent; readonly id: Hex32 }> {
    const agent = await this.ready();
    const id = this.issue();
    const runs = () => agent.snapshot().running[0]?.phase === 'running' && this.containers.fed();
    await this.until(runs, 'running');
    return { agent, id };
  }
  issue(input = 'some input', lease: Partial<Lease> = {}): Hex32 {
    const { id: workload, version, image, lane } = ENTRY;
    return this.network.issue(
      { workload, version, image, lane, params: { height: '480' }, price: 12n, ...lease },
      input,
    );
  }
  until = (condition: () => boolean, what: string, limitMs?: number): Promise<void> =>
    this.clock.until(condition, what, limitMs);
  stateOf = (leaseId: Hex32): string => this.disk.records.get(leaseId)?.state ?? 'none';
}

/** The same object while alive; afterwards every call hangs for ever, and none has an effect. */
function mortal<T extends object>(target: T, life: { readonly alive: boolean }): T {
  return new Proxy(target, {
    get(object, name) {
      const value: unknown = Reflect.get(object, name, object);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => (life.alive ? value.apply(object, args) : new Promise(() => undefined));
    },
  });
}
