import type { BandwidthFacts } from '../../core/lending.ts';
import { GIB } from '../../core/traffic.ts';
import type { Purpose } from '../../core/wire-channel.ts';
import type { ChannelRoute } from '../channel/routes.ts';
import { createEarnings } from '../earnings.ts';
import type { LendingOptions, Ruling } from '../lending.ts';
import { createLentService } from '../lent-service.ts';
import { edgeRoutes } from './cache.ts';
import { createDeliveries } from './deliveries.ts';
import { type EdgeDoor, edgeDoor } from './door.ts';
import { createEdgeOffering } from './offering.ts';

type LaneOptions = LendingOptions & {
  readonly closeChannels: () => void;
  readonly sessions: (purpose: Purpose) => number;
};

/** The bandwidth lane: published content that others fetch from here. */
export function createEdgeLane(options: LaneOptions) {
  const { ports, session, changed } = options;
  const { clock, log, traffic } = ports;
  let budgetBytes = 0;
  let served: { readonly service: object; readonly door: EdgeDoor } | null = null;
  let cachedBytes: BandwidthFacts['cachedBytes'] = 'unknown';
  /** The lane's decision lets it answer, and does not only leave it where it is. */
  let open = false;

  const lent = createLentService({
    ...{ ...options, lane: 'bandwidth' },
    folder: () => null,
    prepare: async (service) => void (await edgeDoor(service).resize(budgetBytes)),
    changed() {
      if (lent.service() === null) options.closeChannels();
      offering.changed();
      changed();
    },
  });
  /** One door for the whole life of a service. */
  function door(): EdgeDoor | null {
    const service = lent.service();
    if (service === null || !open) return null;
    if (served?.service !== service) served = { service, door: edgeDoor(service) };
    return served.door;
  }
  const offering = createEdgeOffering({
    clock,
    door: () => {
      const now = door();
      return now === null ? null : { ...now, usage: () => look(now) };
    },
    tell: (offer) => session.send({ type: 'edge-offer', offer }),
  });

  async function look(now: EdgeDoor): ReturnType<EdgeDoor['usage']> {
    const usage = await now.usage();
    cachedBytes = usage.usedBytes;
    return usage.budgetBytes === budgetBytes ? usage : await now.resize(budgetBytes);
  }

  const now = (): number => clock.now() + session.skew();
  const pay = createEarnings({ clock });
  const deliveries = createDeliveries({
    ...{ clock, log, network: session.network, device: options.device, now, send: session.send },
    receipts: ports.receipts,
    booked({ credited }) {
      pay.earned(credited);
      changed();
    },
  });
  const { meter } = deliveries;
  const routes = [...edgeRoutes({ door, network: session.network, now, meter }), deliveries.route];

  return {
    rule(ruling: Ruling): void {
      const before = budgetBytes;
      budgetBytes = ruling.settings.limits.bandwidth.cacheGiB * GIB;
      const was = open;
      open = ruling.decision.lanes.bandwidth.kind === 'run';
      lent.rule(ruling);
      if (was && !open) options.closeChannels();
      if (open !== was || before !== budgetBytes) offering.changed();
    },
    routes: (): readonly ChannelRoute[] | null => (door() === null ? null : routes),
    heard: deliveries.heard,
    /** A channel is over. */
    ended: deliveries.ended,
    welcomed(): void {
      offering.joined();
      deliveries.joined();
    },
    service: lent.id,
    image: lent.image,
    facts: (): BandwidthFacts => ({
      ...{ up: door() !== null, cachedBytes, servedToday: traffic.days(1)[0]?.carriers.bandwidth.out ?? 0 },
      ...{ sessions: options.sessions('edge'), earnedToday: pay.today(), nextPayoutAt: null },
    }),
    left(): void {
      deliveries.left();
      pay.reset();
    },
    async close(): Promise<void> {
      offering.close();
      deliveries.close();
      await lent.close();
    },
  };
}
