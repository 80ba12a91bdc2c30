import type { Source } from '../ports.ts';
import { type Bus, busSource } from './bus.ts';
import { changesOf, ownerOf } from './bus-signals.ts';

const UPOWER = 'org.freedesktop.UPower';
const NETWORK = 'org.freedesktop.NetworkManager';

/** Whether the machine runs on its battery. */
export const upowerOnBattery = (bus: Bus): Source<boolean> =>
  busSource(bus, {
    name: 'UPower',
    signals: [ownerOf(UPOWER), changesOf(UPOWER, '/org/freedesktop/UPower')],
    async read(session) {
      const { OnBattery: onBattery } = await session.properties(UPOWER, '/org/freedesktop/UPower', UPOWER);
      return typeof onBattery === 'boolean' ? onBattery : 'unknown';
    },
  });

/** NMMetered: unknown, yes, no, yes by a guess, no by a guess. */
const METERED = ['unavailable', true, false, true, false] as const;

/** Whether the way to the network costs by the byte. */
export const networkMetered = (bus: Bus): Source<boolean> =>
  busSource(bus, {
    name: 'NetworkManager',
    signals: [ownerOf(NETWORK), changesOf(NETWORK, '/org/freedesktop/NetworkManager')],
    async read(session) {
      const { Metered: metered } = await session.properties(NETWORK, '/org/freedesktop/NetworkManager', NETWORK);
      return METERED[Number(metered)] ?? 'unknown';
    },
  });
