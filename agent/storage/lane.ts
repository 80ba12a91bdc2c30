import { asFailure, unreachable } from '../../core/errors.ts';
import type { StorageFacts } from '../../core/lending.ts';
import { GIB } from '../../core/traffic.ts';
import type { Purpose } from '../../core/wire-channel.ts';
import type { StorageOffer } from '../../core/wire-storage.ts';
import type { ChannelRoute } from '../channel/routes.ts';
import type { LendingOptions, Ruling, StorageMessage } from '../lending.ts';
import { createLentService } from '../lent-service.ts';
import { createOffering } from '../offering.ts';
import type { Service } from '../service.ts';
import { type VaultDoor, vaultDoor } from '../vault-door.ts';
import { createAgreements } from './agreements.ts';
import { createAudits } from './audits.ts';
import { storageRoutes } from './routes.ts';
import { createStanding } from './standing.ts';

type LaneOptions = LendingOptions & {
  readonly closeChannels: () => void;
  readonly sessions: (purpose: Purpose) => number;
};

/** The storage lane: what others keep here. It stays up whatever the owner does at the machine, unless the owner says otherwise. */
export function createStorageLane(options: LaneOptions) {
  const { ports, session, changed } = options;
  const { clock, drives, log, traffic } = ports;
  let ruling: Ruling | null = null;
  let served: { readonly service: Service; readonly door: VaultDoor } | null = null;
  let usedBytes: StorageFacts['usedBytes'] = 'unknown';

  const lent = createLentService({
    ...{ ...options, lane: 'storage' },
    folder: ({ settings }) => settings.limits.storage.folder,
    async prepare(service) {
      const vault = vaultDoor(service);
      await vault.resize(await quotaFor((await vault.usage()).usedBytes));
    },
    changed() {
      if (lent.service() === null) options.closeChannels();
      else {
        audits.consider();
        void agreements.sweep();
      }
      offering.changed();
      changed();
    },
  });
  function door(): VaultDoor | null {
    const service = lent.service();
    if (service === null) return null;
    if (served?.service !== service) served = { service, door: vaultDoor(service) };
    return served.door;
  }

  /** What the owner gives, less what the drive lacks: what others keep here gives way before the drive is full. */
  async function quotaFor(used: number): Promise<number> {
    if (ruling === null || ruling.settings.lanes.storage.share === 'never') return 0;
    const { lendGiB, minFreeGiB, folder } = ruling.settings.limits.storage;
    const measured = await drives.freeBytes(folder);
    const { freeDiskBytes } = ruling;
    const free = measured ?? (typeof freeDiskBytes === 'number' ? freeDiskBytes : null);
    const room = free === null ? Number.POSITIVE_INFINITY : used + free - minFreeGiB * GIB;
    return Math.max(0, Math.min(lendGiB * GIB, room));
  }

  const agreements = createAgreements({
    ...{ clock, log, door, shelf: ports.agreements },
    ...{ network: session.network, key: session.key, skew: session.skew },
    changed: () => offering.changed(),
  });
  const audits = createAudits({ clock, log, agreements, door, skew: session.skew, send: session.send });
  const standing = createStanding({ clock });
  const offering = createOffering<StorageOffer>({
    clock,
    async room() {
      const vault = door();
      if (vault === null) return null;
      let usage = await vault.usage();
      const quota = await quotaFor(usage.usedBytes);
      if (usage.quotaBytes !== quota) usage = await vault.resize(quota);
      usedBytes = usage.usedBytes;
      traffic.stored(usedBytes);
      changed();
      return { lentBytes: usage.quotaBytes, usedBytes };
    },
    tell: (offer) => session.send({ type: 'storage-offer', offer }),
    alike: (a, b) => Math.abs(a.lentBytes - b.lentBytes) < GIB / 8 && Math.abs(a.usedBytes - b.usedBytes) < GIB / 8,
  });
  const routes = storageRoutes(agreements);

  return {
    rule(next: Ruling): void {
      const before = ruling?.settings;
      ruling = next;
      const { decision, settings } = next;
      const lane = decision.lanes.storage;
      // Switched off, it stays until what others keep here has gone elsewhere.
      const drains = lane.kind === 'hold' && lane.reason.kind === 'lane-off' && agreements.count() > 0;
      lent.rule(next, drains);
      if (before !== settings) offering.changed();
    },
    heard(message: StorageMessage): void {
      switch (message.type) {
        case 'agreements':
          agreements.listed(message);
          return;
        case 'agreement':
          agreements.agreed(message.agreement);
          return;
        case 'agreement-ended':
          agreements.ended(message);
          return;
        case 'audit':
          audits.asked(message);
          return;
        case 'storage-standing':
          standing.heard(message);
          changed();
          return;
        default:
          unreachable(message);
      }
    },
    routes: (): readonly ChannelRoute[] | null => (door() === null ? null : routes),
    welcomed: () => offering.joined(),
    service: lent.id,
    image: lent.image,
    facts: (): StorageFacts => ({ up: door() !== null, usedBytes, ...standing.facts() }),
    left(): void {
      audits.reset();
      standing.reset();
    },
    async close(): Promise<void> {
      offering.close();
      audits.reset();
      await agreements
        .settled()
        .catch((error: unknown) => log('warn', 'agreements', { detail: asFailure(error).message }));
      await lent.close();
    },
  };
}
