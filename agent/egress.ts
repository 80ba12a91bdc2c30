import type { CatalogueEntry, EgressNeed } from '../core/catalogue.ts';
import { asFailure, Failure, fail } from '../core/errors.ts';
import {
  besideGateway,
  gatewayConfig,
  gatewayLimits,
  gatewayNetwork,
  gatewayRate,
  gatewaySpec,
  gatewayVolume,
} from '../core/gateway.ts';
import type { Grants, Labels, Share } from '../core/sandbox.ts';
import type { Launch } from './engine-watch.ts';
import type { ContainerRun, Ports, Traffic } from './ports.ts';

/** A gateway that has not said by then that it listens is none. */
const READY_MS = 20_000;
/** A container on its way out keeps its volume until it is gone. */
const AGAIN_MS = 500;
const TRIES = 10;

/** What has passed through a gateway, and what it has refused, by reason. */
export type EgressCounters = {
  /** Bytes. */
  readonly sent: number;
  readonly received: number;
  readonly refused: Readonly<Record<string, number>>;
};

/** A run's way into the internet; for most runs there is none. */
export type Egress = {
  readonly grants: Pick<Grants, 'egressVolume'>;
  /** As the gateway said last, about a second old; null: nothing has passed yet. */
  readonly counters: () => EgressCounters | null;
  /** Nothing passes until it is released. */
  readonly hold: (yes: boolean) => void;
  /** The owner's share of the machine for the run as a whole. */
  readonly share: (share: Share) => void;
  /** Removes all of it; never throws. After the work's container: a volume in use stays. */
  readonly close: () => Promise<void>;
};

const NONE: Egress = {
  grants: {},
  counters: () => null,
  hold: () => undefined,
  share: () => undefined,
  close: async () => undefined,
};

/** What is left of a share for the work itself. */
export const workShare = ({ network }: Pick<CatalogueEntry, 'network'>, share: Share): Share =>
  network === 'none' ? share : besideGateway(share).work;

/** What a launch needs on the engine: the work's own image, the supervisor's, and the gateway's where it has one. */
export const imagesOf = (
  { image, network }: Pick<CatalogueEntry, 'image' | 'network'>,
  launch: Launch,
): readonly string[] =>
  [image, launch.door, network === 'none' ? '' : (launch.gateway ?? '')].filter((each) => each !== '');

type EgressOptions = {
  readonly ports: Pick<Ports, 'clock' | 'log' | 'containers' | 'seccompProfile'> & {
    readonly traffic: Pick<Traffic, 'add' | 'least'>;
  };
  readonly entry: Pick<CatalogueEntry, 'network' | 'lane'>;
  readonly launch: Launch;
  readonly labels: Labels;
  readonly share: Share;
  /** The gateway has ended by itself: the work shall not go on without. */
  readonly lost: () => void;
};

/**
 * Makes the gateway of a run whose work may reach the internet, and resolves when it listens. Throws ENGINE_AWAY, TIMEOUT, and
 * REFUSED where there can be none; nothing is left then.
 */
export async function openEgress(options: EgressOptions): Promise<Egress> {
  const { entry, launch } = options;
  if (entry.network === 'none') return NONE;
  const image = launch.gateway ?? '';
  if (image === '') fail('REFUSED', 'this work needs the internet, and the catalogue has no gateway');
  if (launch.runtime === 'runsc')
    fail('REFUSED', 'this work needs the internet, and its gateway cannot be reached under gVisor');
  return gateway(options, entry.network, image);
}

async function gateway(options: EgressOptions, need: EgressNeed, image: string): Promise<Egress> {
  const { ports, labels } = options;
  const { containers, log, clock, traffic } = ports;
  let rate = traffic.least();
  let held = false;
  const name = `idlemesh-egress-${labels.lease.slice(2, 18)}-${labels.instance.slice(-8)}`;
  let run: ContainerRun | null = null;
  let counters: EgressCounters | null = null;
  let closing: Promise<void> | null = null;

  async function tearDown(): Promise<void> {
    const told = (error: unknown): void =>
      log('warn', 'gateway-not-removed', { leaseId: labels.lease, detail: asFailure(error).message });
    // Without its door it ends by itself, whatever the engine does.
    run?.shut();
    if (run !== null) await containers.remove(run.containerId).catch(told);
    for (let left = TRIES; left > 0; left -= 1) {
      const failure = await containers.egress.close(name).catch(asFailure);
      if (failure === undefined) return;
      if (left === 1 || failure.code !== 'REFUSED') return told(failure);
      await new Promise<void>((resolve) => {
        clock.after(AGAIN_MS, resolve);
      });
    }
  }
  const close = (): Promise<void> => {
    closing ??= tearDown();
    return closing;
  };

  /** Of the owner's line, like everything else; the gateway itself holds back what would be more than the owner gives. */
  function count({ sent, received, refused }: EgressCounters): void {
    traffic.add(options.entry.lane, 'out', sent - (counters?.sent ?? 0));
    traffic.add(options.entry.lane, 'in', received - (counters?.received ?? 0));
    counters = { sent, received, refused };
    if (held || rate === traffic.least()) return;
    rate = traffic.least();
    say(gatewayRate(rate));
  }

  const say = (line: string): void => {
    run?.write(new TextEncoder().encode(line)).catch(() => undefined);
  };

  try {
    const volume = gatewayVolume(name, labels);
    await containers.egress.open(volume, gatewayNetwork(name, labels));
    const share = besideGateway(options.share).gateway;
    const started = await containers.run(gatewaySpec(image, share, labels, ports.seccompProfile, name));
    run = started;
    say(gatewayConfig(need, containers.egress.ranges(), rate));
    const lost = (): void => {
      if (closing !== null) return;
      log('warn', 'gateway-lost', { leaseId: labels.lease });
      options.lost();
    };
    await listening(started, ports, (said) => {
      if (said.last !== undefined && total(said) !== total(counters))
        log('debug', 'egress-refused', { leaseId: labels.lease, ...said.last });
      count(said);
    });
    started.exited.then(lost, lost);
  } catch (error) {
    await close();
    throw asFailure(error);
  }

  return {
    grants: { egressVolume: name },
    counters: () => counters,
    hold(yes) {
      held = yes;
      rate = traffic.least();
      say(gatewayRate(yes ? 0 : rate));
    },
    share(share) {
      if (run === null) return;
      containers.setLimits(run.containerId, gatewayLimits(besideGateway(share).gateway)).catch((error: unknown) => {
        log('warn', 'limits-not-set', { leaseId: labels.lease, detail: asFailure(error).message });
      });
    },
    close,
  };
}

/** The same around a piece of work: it begins when the gateway listens, and whatever its end, nothing is left. */
export async function withEgress<T>(options: EgressOptions, work: (egress: Egress) => Promise<T>): Promise<T> {
  const egress = await openEgress(options).catch((error: unknown) => {
    const failure = asFailure(error);
    // It is this machine that cannot, and not the work that failed.
    if (failure.code === 'REFUSED' || failure.code === 'TIMEOUT') fail('CONFLICT', failure.message, {}, failure);
    throw failure;
  });
  try {
    return await work(egress);
  } finally {
    await egress.close();
  }
}

const total = (counters: EgressCounters | null): number =>
  Object.values(counters?.refused ?? {}).reduce((sum, count) => sum + count, 0);

type Said = EgressCounters & { readonly last?: Readonly<Record<string, unknown>> };

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;
const isSaid = (value: Readonly<Record<string, unknown>>): value is Said =>
  typeof value['sent'] === 'number' && typeof value['received'] === 'number' && isRecord(value['refused']);

/** Resolves at the gateway's word that it listens, and goes on hearing what it counts. */
function listening(run: ContainerRun, { clock }: Pick<Ports, 'clock'>, hear: (said: Said) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (detail: string): void => reject(new Failure('REFUSED', `the gateway did not start: ${detail}`));
    const cancel = clock.after(READY_MS, () =>
      reject(new Failure('TIMEOUT', `the gateway did not listen within ${READY_MS / 1000} s`)),
    );
    const heard = (line: string): void => {
      const said = parsed(line);
      if (!isRecord(said)) return;
      if (said['ready'] === true) resolve();
      if (typeof said['error'] === 'string') refuse(said['error'].slice(0, 200));
      if (isSaid(said)) hear(said);
    };
    const hearing = async (): Promise<void> => {
      for await (const line of run.stderr) heard(line);
    };
    hearing()
      // Nobody empties its lines any more, and it will stand still over them.
      .catch(() => run.shut())
      .finally(() => refuse('it ended'))
      .finally(cancel);
    run.exited.catch(() => undefined);
  });
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
