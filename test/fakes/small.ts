import { HDNodeWallet, Wallet } from 'ethers/wallet';
import { folderWorkspace } from '../../agent/adapters/workspace.ts';
import type {
  DeviceKey,
  NetworkMemory,
  Process,
  Sensors,
  SettingsState,
  SettingsStore,
  Source,
  Sources,
  Vault,
  Workspace,
} from '../../agent/ports.ts';
import { fail } from '../../core/errors.ts';
import type { Address, Hex32, Known, Signature } from '../../core/primitives.ts';
import { defaultSettings, parseSettings, type Settings, settingsSchema } from '../../core/settings.ts';
import type { Sensed } from '../../core/signals.ts';
import { domainOf, fieldsOf, type Struct, type StructName } from '../../core/typed-data.ts';
import type { NetworkInfo } from '../../core/wire.ts';

export const fakeSource = <T>(read: () => Promise<Sensed<T>>): Source<T> => ({
  ...{ name: 'fake', read, timeoutMs: 1_000 },
  every: { rest: 5_000, ready: 5_000, watch: 5_000 },
});

export class FakeSensors implements Sensors {
  idle: Known<number> = 3_600_000;
  battery: Known<boolean> = false;
  disk: Known<number> = 100 * 1024 ** 3;
  processes: readonly Process[] = [];
  readonly sources: Sources = {
    idle: [{ name: 'fake', timeoutMs: 1_000, idleMs: async () => this.idle }],
    locked: [],
    fullscreen: [],
    processes: [fakeSource(async () => this.processes)],
    media: [],
    cpuByOthersPercent: [],
    gpus: [],
    onBattery: [fakeSource(async () => this.battery)],
    temperatureC: [],
    metered: [],
    freeDiskBytes: [fakeSource(async () => this.disk)],
  };
  machine = async () => ({ cpuCores: 4, memoryBytes: 8 * 1024 ** 3 });
}

export class FakeSettings implements SettingsStore {
  #state: SettingsState;
  #listeners = new Set<() => void>();
  /** Changes are in force but not saved. */
  unwritable = false;
  constructor(change: Partial<Settings> = {}) {
    this.#state = { kind: 'ok', settings: parseSettings({ ...defaultSettings(), ...change }) };
  }
  current = (): SettingsState => this.#state;
  update = async (change: (settings: Settings) => Settings): Promise<void> => {
    if (this.#state.kind === 'broken') fail('SETTINGS_BROKEN', this.#state.detail);
    const next = settingsSchema.safeParse(change(this.#state.settings));
    if (!next.success) fail('BAD_INPUT', 'not valid');
    this.#set({ kind: 'ok', settings: next.data });
    if (this.unwritable) fail('DISK_FULL', 'it was not saved');
  };
  reset = async (): Promise<void> => this.#set({ kind: 'ok', settings: defaultSettings() });
  onChange = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  close = (): void => this.#listeners.clear();
  listeners = (): number => this.#listeners.size;
  breakFile(detail: string): void {
    this.#set({ kind: 'broken', settings: defaultSettings(), path: '/fake/settings.json', detail });
  }
  repairFile(settings: Settings): void {
    this.#set({ kind: 'ok', settings });
  }
  #set(state: SettingsState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}

type Signer = Pick<Wallet, 'signTypedData'>;

async function sign<N extends StructName>(
  signer: Signer,
  network: NetworkInfo,
  name: N,
  value: Struct<N>,
): Promise<Signature> {
  const domain = domainOf(network.chainId, network.distributor);
  return (await signer.signTypedData(domain, fieldsOf(name), value)) as Signature;
}

export class FakeVault implements Vault {
  readonly #owner = HDNodeWallet.createRandom();
  readonly #device = Wallet.createRandom();
  readonly owner = this.#owner.address.toLowerCase() as Address;
  readonly device = this.#device.address.toLowerCase() as Address;
  readonly protection = 'file';
  locked = false;
  /** Digests are not compared: how often anything was signed with a name. */
  readonly signed: StructName[] = [];

  sign: Vault['sign'] = async (network, name, value) => {
    if (this.locked) fail('VAULT_UNREADABLE', 'the keyring is locked');
    this.signed.push(name);
    return sign(this.#owner, network, name, value);
  };
  deviceKey = (network: NetworkInfo): DeviceKey => ({
    address: this.device,
    sign: async (name, value) => {
      this.signed.push(name);
      return sign(this.#device, network, name, value);
    },
  });
}

export class FakeWorkspace implements Workspace {
  readonly path: string;
  readonly open = new Set<Hex32>();
  constructor(path: string) {
    this.path = path;
  }
  #folders = () => folderWorkspace(this.path);
  of = (leaseId: Hex32): string => this.#folders().of(leaseId);
  prepare = (): Promise<void> => this.#folders().prepare();
  create = async (leaseId: Hex32): Promise<string> => {
    this.open.add(leaseId);
    return this.#folders().create(leaseId);
  };
  remove = async (leaseId: Hex32): Promise<void> => {
    this.open.delete(leaseId);
    await this.#folders().remove(leaseId);
  };
  sweep = (keep: (leaseId: Hex32) => boolean): Promise<void> => this.#folders().sweep(keep);
}

export class FakeNetworkMemory implements NetworkMemory {
  readonly #known = new Map<string, NetworkInfo>();
  load = async (url: string): Promise<NetworkInfo | null> => this.#known.get(url) ?? null;
  save = async (url: string, network: NetworkInfo): Promise<void> => {
    this.#known.set(url, network);
  };
}
