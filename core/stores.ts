import type { Address } from './primitives.ts';
import { LABEL } from './sandbox.ts';

/** Role of a volume that holds what others have entrusted to this device, or a cache of theirs. */
export const STORE_ROLE = 'store';

export type StoreSpec = {
  readonly name: string;
  readonly device: Address;
  readonly home?: string | undefined;
  /** A folder that the agent has made on the drive that the owner picked; null: the engine's own place. */
  readonly folder: string | null;
};

/** Of one device and one place: another drive is another store. `placeKey`: short hash of the folder; empty for the engine's own. */
export const storeName = (device: Address, workload: string, placeKey: string): string =>
  ['idlemesh', workload, device.slice(2, 14).toLowerCase(), placeKey].filter((part) => part !== '').join('-');

/** The Docker Engine API's volume create body (v1.41). */
export type StoreVolume = {
  readonly Name: string;
  readonly Driver: 'local';
  readonly DriverOpts: Readonly<Record<string, string>>;
  readonly Labels: Readonly<Record<string, string>>;
};

export const storeVolume = ({ name, device, home, folder }: StoreSpec): StoreVolume => ({
  Name: name,
  Driver: 'local',
  DriverOpts: folder === null ? {} : { type: 'none', o: 'bind', device: folder },
  Labels: {
    [LABEL.role]: STORE_ROLE,
    [LABEL.device]: device,
    ...(home === undefined ? {} : { [LABEL.home]: home }),
  },
});
