import { dialRelay } from '../../agent/adapters/relay.ts';
import { throwawayCertificate } from '../../agent/adapters/throwaway-certificate.ts';
import { type ChannelKeeper, createChannelKeeper } from '../../agent/channel/keeper.ts';
import type { ChannelRoute } from '../../agent/channel/routes.ts';
import type { DeviceKey } from '../../agent/ports.ts';
import type { TestDevice } from './device.ts';

/** The agent's own end of channels, on the session of a device of the tests. */
export function keepChannels(
  device: TestDevice,
  routes: readonly ChannelRoute[],
  change: Partial<Parameters<typeof createChannelKeeper>[0]> = {},
): { readonly keeper: ChannelKeeper; readonly heed: () => void } {
  const key: DeviceKey = { address: device.key.address, sign: (name, value) => device.key.sign(name, value) };
  const keeper = createChannelKeeper({
    log: () => undefined,
    network: () => device.network,
    key: () => key,
    url: () => device.url,
    dial: dialRelay,
    certificate: throwawayCertificate,
    routes: () => routes,
    passed: () => undefined,
    ...change,
  });
  let seen = 0;
  return {
    keeper,
    /** Hands on what the coordinator has said since. */
    heed() {
      for (const message of device.messages.slice(seen)) if (message.type === 'channel') keeper.wanted(message);
      seen = device.messages.length;
    },
  };
}

/** Heeds for as long as `work` takes. */
export async function heeding<T>(heed: () => void, work: () => Promise<T>): Promise<T> {
  const timer = setInterval(heed, 5);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
