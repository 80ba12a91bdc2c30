import { keccakText } from '../../core/keccak.ts';
import type { Address, Hex32 } from '../../core/primitives.ts';
import type { NetworkStatus } from '../../core/status.ts';

const DAY_MS = 86_400_000;
const hash = (n: number): Hex32 => keccakText(`status ${n}`);
const address = (n: number): Address => `0x${hash(n).slice(-40)}`;
const tokens = (amount: number): bigint => BigInt(Math.round(amount * 1e6)) * 10n ** 12n;

/** Its now. */
const AT = Date.UTC(2026, 10, 23, 10, 15);
/** A network that has been at work for a month. */
export const busyStatus: NetworkStatus = {
  ...{ name: 'Attic Mesh', at: AT, notReady: null, coordinators: 3, devices: 1_284, openJobs: 48_210 },
  ...{ heldLeases: 3_977, countedTo: 100_000 },
  days: Array.from({ length: 30 }, (_, at) => {
    const busy = 60_000 + at * 2_300 + ((at * 7_919) % 23_000) - (at % 7 > 4 ? 24_000 : 0);
    return {
      day: new Date(AT - (29 - at) * DAY_MS).toISOString().slice(0, 10),
      accepted: busy,
      rejected: (at * 37) % 1_900,
    };
  }),
  books: {
    ...{ recountedAt: AT - 12 * 60_000, balancedSince: Date.UTC(2026, 2, 3, 8), owners: 911 },
    totals: Object.fromEntries(
      Object.entries({
        ...{ external: -91_204.5, deposit: 20_118.25, hold: 5_310.5, pending: 1_420.75, matured: 310.125 },
        ...{ published: 18_900.375, claimed: 43_021.4, fees: 2_123.098_5, dust: 0.001_5 },
      }).map(([kind, sum]) => [kind, tokens(sum).toString()]),
    ),
  },
  epochs: Array.from({ length: 8 }, (_, at) => ({
    ...{ epoch: 2_041 - at, root: hash(at), total: tokens(61_921.775 - at * 31.4), owners: 911 - at },
    ...{ closedAt: AT - at * 3_600_000 - 12 * 60_000, txHash: at === 0 ? null : hash(100 + at) },
  })),
  disabled: [
    {
      workload: 'transcode',
      version: '1.4.0',
      why: 'Output differs on one family of cards; 1.4.1 is being signed.',
      at: AT - 2 * 3_600_000,
    },
  ],
  actions: [
    {
      action: 'disable-now',
      subject: 'transcode@1.4.0',
      why: 'Output differs on one family of cards; 1.4.1 is being signed.',
      admin: address(7),
      at: AT - 2 * 3_600_000,
    },
    { action: 'refund', subject: null, why: 'Its output was one of those.', admin: address(7), at: AT - 90 * 60_000 },
    { action: 'ban', subject: null, why: 'Returned noise 214 times.', admin: address(8), at: AT - 3 * DAY_MS },
  ],
};

/** One that has just begun, */
export const newStatus: NetworkStatus = {
  ...busyStatus,
  ...{ coordinators: 1, devices: 0, openJobs: 0, heldLeases: 0, days: [], epochs: [], disabled: [], actions: [] },
  books: { recountedAt: null, balancedSince: null, owners: 0, totals: {} },
};

/** and one that is in trouble, with long words in it. */
export const troubledStatus: NetworkStatus = {
  ...busyStatus,
  ...{ name: 'A'.repeat(64), notReady: 'the chain could not be read for 12 minutes', openJobs: 100_000 },
  books: {
    ...busyStatus.books,
    balancedSince: null,
    totals: { ...busyStatus.books.totals, external: `-${'9'.repeat(36)}` },
  },
  disabled: busyStatus.disabled.map((one) => ({ ...one, workload: 'w'.repeat(64), why: 'y'.repeat(300) })),
};

export const aboutNetwork = {
  options: { tokenSymbol: 'MESH', chain: { chainId: 8_453, distributor: address(1), token: address(2) } },
  ...{ networkId: hash(200), signer: { address: address(3) } },
};
