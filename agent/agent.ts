import type { Catalogue } from '../core/catalogue.ts';
import { type Decision, decide, freshMemory } from '../core/decide.ts';
import { asFailure } from '../core/errors.ts';
import { policyOf } from '../core/policy.ts';
import { type Lane, type PerLane, perLane } from '../core/primitives.ts';
import { type Action, reconcile } from '../core/reconcile.ts';
import type { Share } from '../core/sandbox.ts';
import { type CoordinatorState, NO_READINGS, type Readings, type Signals } from '../core/signals.ts';
import type { Agent } from './api.ts';
import { createBooks } from './books.ts';
import { createCommands } from './commands.ts';
import { dayStartOf } from './day.ts';
import { createEngineWatch } from './engine-watch.ts';
import { createInbox } from './inbox.ts';
import { createJobs } from './jobs.ts';
import { createMirror, type Picture } from './mirror.ts';
import type { Ports } from './ports.ts';
import { createReporting } from './reporting.ts';
import { createSense } from './sense.ts';
import { createSession } from './session.ts';
import { paint } from './view.ts';
import { createWallet } from './wallet.ts';

const MIB = 1024 * 1024;
/** Work that rests longer than this gives its memory back and starts again from scratch later. */
const RELEASE_AFTER_MS = 10 * 60_000;
const SLOTS: PerLane<number> = { cpu: 1, gpu: 0, bandwidth: 0, storage: 0 };
/** While work runs because nobody is there, the return must be noticed in time to freeze it within 150 ms. */
const WATCH_MS = 50;
const IDLE_TICK_MS = 1_000;
/** Power, disk, deadlines and the end of a pause. */
const SLOW_TICK_MS = 5_000;
/** The end does not wait longer for an engine or a network that hangs: containers end by themselves when their door closes. */
const STOP_MS = 5_000;

/**
 * The provider: one loop of gather, decide, reconcile, act, show. It runs when something says so (`wake`) and at a tick as
 * slow as promptness allows. Rounds never overlap, and one that fails is followed by the next.
 */
export function createAgent(ports: Ports, options: { readonly version: string }): Agent {
  const { clock, log, vault, settings } = ports;
  const instance = ports.random.hex32();
  let catalogue: Catalogue = { version: 1, entries: [] };
  let machine = { cpuCores: 0, memoryBytes: 0 };
  let memory = freshMemory();
  let last: { readonly signals: Signals; readonly decision: Decision } | null = null;
  let asked: Partial<Record<Lane, number>> = {};
  let helloLeases: ReadonlySet<string> = new Set();
  let alive = false;
  let dirty = false;
  /** The last round failed. */
  let blind = false;
  let looping: Promise<void> | null = null;
  let cancelTick = (): void => undefined;
  let unsubscribeSettings = (): void => undefined;

  const changed = (): void => mirror.changed();
  const link = () => session.link();
  const network = () => session.network();
  const key = () => session.key();
  const send: typeof session.send = (message) => session.send(message);
  const books = createBooks({ clock, log, openLedger: ports.openLedger, changed: () => wake() });
  const reporting = createReporting({
    clock,
    log,
    books,
    owner: vault.owner,
    network,
    key,
    send,
    changed: () => wake(),
  });
  const wallet = createWallet({ ports, network, link, changed });
  const engine = createEngineWatch({ ports, device: vault.device, catalogue: () => catalogue, wake: () => wake() });
  const jobs = createJobs({
    ...{ ports, books, reporting, instance, link, key, send, changed },
    slots: SLOTS,
    skew: () => session.skew(),
    doubtSkew: () => session.doubtSkew(),
    catalogue: () => catalogue,
    declined: (lane) => delete asked[lane],
    doubtEngine: engine.doubt,
    wake: () => wake(),
  });
  const session = createSession({
    ports,
    books,
    changed: () => wake(),
    hello: () => {
      const states = ['held', 'finished', 'accepted', 'reported'] as const;
      const leases = (books.ledger()?.leases(states) ?? []).map((record) => record.lease.leaseId).slice(-1000);
      helloLeases = new Set(leases);
      return {
        agent: options.version,
        platform: `${ports.platform}`,
        workloads: catalogue.entries.map(({ id, image }) => ({ id, image })),
        leases,
      };
    },
    onMessage: (message) => receive(message),
    onLeave: () => {
      reporting.reset();
      wallet.reset();
      asked = {};
      jobs.releaseAll().catch(() => undefined);
    },
  });
  const receive = createInbox({
    ...{ ports, books, jobs, reporting, wallet },
    greetedWith: () => helloLeases,
    welcomed: () => {
      asked = {};
    },
    mayRun: (lane) => last?.decision.lanes[lane].kind === 'run',
    wake: () => wake(),
  });
  const sense = createSense(ports);
  const mirror = createMirror(ports, picture);
  const commands = createCommands({ ports, books, wallet, wake: () => wake() });

  /** The link's own state, unless the books disagree: work that could never be reported is not taken on. */
  function coordinatorState(): CoordinatorState {
    const fault = reporting.fault();
    const state = session.state();
    return fault !== null && state.kind === 'connected' ? { kind: 'refused', detail: fault } : state;
  }

  const known = (): Omit<Signals, 'now' | 'timeZone' | keyof Readings> => ({
    settingsOk: settings.current().kind === 'ok',
    ledgerWritable: books.fault() === null,
    engine: engine.state(),
    coordinator: coordinatorState(),
    leases: jobs.counts(),
    offered: engine.offered(),
  });

  function shareOf(): Share {
    const { limits } = settings.current().settings;
    return {
      cpuCores: (machine.cpuCores * limits.cpuPercent) / 100,
      memoryBytes: Math.min(limits.memoryMiB * MIB, machine.memoryBytes || limits.memoryMiB * MIB),
    };
  }

  async function round(): Promise<void> {
    const state = settings.current();
    // The defaults that stand in for a broken file name no network of the owner's.
    if (state.kind === 'ok') session.use(state.settings.coordinatorUrl);
    const policy = policyOf(state.settings);
    const containers = await engine.look();
    const signals = await sense.gather(known());
    const decision = decide(signals, policy, memory);
    memory = decision.memory;
    last = { signals, decision };
    jobs.allow(
      perLane((lane) => decision.lanes[lane].kind === 'run'),
      shareOf(),
    );
    const actions = reconcile(decision, {
      ...{ now: signals.now, instance, containers, slots: SLOTS },
      leases: jobs.held(),
      releaseAfterMs: RELEASE_AFTER_MS,
    });
    await act(actions);
    reporting.consider();
    blind = false;
    changed();
  }

  async function act(actions: readonly Action[]): Promise<void> {
    await Promise.all(
      actions.map(async (action) => {
        if (action.kind !== 'request') return jobs.apply(action);
        // A fresh session counts no slots.
        if ((asked[action.lane] ?? 0) === action.slots) return;
        if (send({ type: 'ready', lane: action.lane, slots: action.slots })) asked[action.lane] = action.slots;
      }),
    );
  }

  function wake(): void {
    dirty = true;
    if (!alive || looping !== null) return;
    looping = loop().finally(() => {
      looping = null;
      if (dirty) wake();
    });
  }

  async function loop(): Promise<void> {
    cancelTick();
    while (alive && dirty) {
      dirty = false;
      await round().catch((error: unknown) => {
        log('error', 'round-failed', { detail: asFailure(error).message });
        // Nobody decides, so nothing may run: the owner could come back unnoticed.
        if (!blind) jobs.releaseAll().catch(() => undefined);
        blind = true;
        changed();
      });
    }
    if (alive) schedule();
  }

  function schedule(): void {
    const cpu = last?.decision.lanes.cpu;
    const whenIdle = settings.current().settings.sharing.mode === 'when-idle';
    const awaited = cpu?.kind === 'hold' && (cpu.reason.kind === 'in-use' || cpu.reason.kind === 'idle-unknown');
    cancelTick();
    if (whenIdle && cpu?.kind === 'run' && jobs.running().length > 0) {
      cancelTick = clock.after(WATCH_MS, () => void watch(0));
    } else {
      cancelTick = clock.after(awaited || (whenIdle && cpu?.kind === 'run') ? IDLE_TICK_MS : SLOW_TICK_MS, wake);
    }
  }

  /** Only asks whether somebody is back; a whole round follows when so, or after the idle tick. */
  async function watch(waited: number): Promise<void> {
    const idle = await sense.idleMs();
    if (!alive || looping !== null) return;
    const back = typeof idle === 'string' || idle < settings.current().settings.rules.idleAfterSeconds * 1000;
    if (back || waited >= IDLE_TICK_MS) return wake();
    cancelTick();
    cancelTick = clock.after(WATCH_MS, () => void watch(waited + WATCH_MS));
  }

  function picture(): Picture {
    const state = settings.current();
    const signals: Signals = {
      ...(last?.signals ?? { ...NO_READINGS, now: clock.now(), timeZone: clock.timeZone() }),
      ...known(),
    };
    return paint({
      ...{ version: options.version, settings: state, signals, memory, machine },
      decision: last?.decision ?? decide(signals, policyOf(state.settings), memory),
      ledgerFault: books.fault(),
      vaultFault: session.vaultFault(),
      url: session.url(),
      network: network(),
      running: jobs.running(),
      totals: books.ledger()?.totals(dayStartOf(clock.now(), clock.utcOffsetMinutes())) ?? null,
      wallet,
    });
  }

  return {
    async start() {
      await ports.workspace.clear();
      machine = await ports.sensors.machine();
      catalogue = await ports.catalogue.load();
      alive = true;
      unsubscribeSettings = settings.onChange(wake);
      wake();
    },
    async stop() {
      alive = false;
      unsubscribeSettings();
      cancelTick();
      await soon(farewell());
      engine.close();
      reporting.reset();
      wallet.reset();
      books.close();
      mirror.close();
      ports.containers.close();
      ports.chain.close();
      settings.close();
    },
    snapshot: mirror.snapshot,
    onSnapshot: mirror.onSnapshot,
    commands,
    wake,
  };

  async function farewell(): Promise<void> {
    await looping;
    await Promise.all([session.close(), jobs.releaseAll()]);
    await removeAll();
  }

  /** Waits for `work`, but not for long; a failure of it is only told. */
  async function soon(work: Promise<void>): Promise<void> {
    let cancel = (): void => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = clock.after(STOP_MS, () => {
        log('warn', 'stopped-late', {});
        resolve();
      });
    });
    const told = work.catch((error: unknown) => log('warn', 'farewell-failed', { detail: asFailure(error).message }));
    await Promise.race([told, late]);
    cancel();
  }

  async function removeAll(): Promise<void> {
    if (engine.state().kind !== 'ready') return;
    try {
      const own = await ports.containers.list(vault.device);
      await Promise.all(own.map((container) => ports.containers.remove(container.id)));
    } catch (error) {
      // They end by themselves: their door closes with this process.
      log('warn', 'containers-left', { detail: asFailure(error).message });
    }
  }
}
