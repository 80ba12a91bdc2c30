import { type Decision, decide, freshMemory } from '../core/decide.ts';
import { asFailure } from '../core/errors.ts';
import { type Policy, policyOf } from '../core/policy.ts';
import type { Lane, PerLane } from '../core/primitives.ts';
import { type Action, reconcile } from '../core/reconcile.ts';
import { shareFrom } from '../core/sandbox.ts';
import type { CoordinatorState, Readings, Signals } from '../core/signals.ts';
import type { Agent } from './api.ts';
import { createBooks } from './books.ts';
import { createCatalogueKeeper } from './catalogue-keeper.ts';
import { createCommands } from './commands.ts';
import { dayStartOf } from './day.ts';
import { examine } from './doctor.ts';
import { removeAll, soon, sweep } from './ending.ts';
import { createGpuChoice } from './gpu-choice.ts';
import { helloOf } from './hello.ts';
import { createHousekeeping } from './housekeeping.ts';
import { createInbox } from './inbox.ts';
import { createJobs } from './jobs.ts';
import { createLending } from './lending.ts';
import { createLine } from './line.ts';
import { createMirror, type Picture } from './mirror.ts';
import { createNotice } from './notice.ts';
import { attentionFor, BLIND_MS, gives, HEAL_MS, nextChange, takes, thresholdsOf } from './pace.ts';
import type { Ledger, Ports } from './ports.ts';
import { createProver } from './prover.ts';
import { createRenewals } from './renewals.ts';
import { createReporting } from './reporting.ts';
import { createRounds } from './rounds.ts';
import { createSenses } from './senses.ts';
import { createSession } from './session.ts';
import { createSwitchBook, switchesOf } from './switches.ts';
import { createTrial } from './trial.ts';
import { paint } from './view.ts';
import { createWallet } from './wallet.ts';

/** Work that rests longer than this gives its memory back and goes on from its last checkpoint later. */
const RELEASE_AFTER_MS = 10 * 60_000;
const SLOTS: PerLane<number> = { cpu: 1, gpu: 1, bandwidth: 0, storage: 0 };
/** A work force that was too slow to freeze is told of for this long. */
const TOLD_MS = 10 * 60_000;

export type AgentOptions = { readonly version: string; readonly slots?: Partial<PerLane<number>> };

type Judgement = { readonly signals: Signals; readonly decision: Decision };

/**
 * The provider: one loop of gather, decide, reconcile, act, show. It runs when something says so (`wake`) and when time alone
 * changes something. Rounds never overlap, and one that fails is followed by the next. What the sensors tell is decided on at
 * once, beside the rounds: who comes back waits for no engine.
 */
export function createAgent(ports: Ports, options: AgentOptions): Agent {
  const { clock, log, vault, settings } = ports;
  const instance = ports.random.hex32();
  let machine = { cpuCores: 0, memoryBytes: 0 };
  const slots: PerLane<number> = { ...SLOTS, ...options.slots };
  let memory = freshMemory();
  let last: Judgement | null = null;
  let asked: Partial<Record<Lane, number>> = {};
  let helloLeases: ReadonlySet<string> = new Set();
  /** The last round failed. */
  let blind = false;
  let unsubscribeSettings = (): void => undefined;

  const rounds = createRounds({ clock, round: () => round(), failed: (error) => lose(error), next: () => nextRound() });
  const { wake } = rounds;
  const changed = (): void => mirror.changed();
  const share = () => shareFrom(settings.current().settings.limits, machine);
  const opened = (ledger: Ledger): void => void sweep(ports, ledger);
  const slow = createNotice<{ detail: string; at: number }>({ clock, forMs: TOLD_MS, changed });
  const link = () => session.link();
  const network = () => session.network();
  const key = () => session.key();
  const send: typeof session.send = (message) => session.send(message);
  const books = createBooks({ clock, log, openLedger: ports.openLedger, changed: wake, opened });
  const reporting = createReporting({
    ...{ clock, log, books, network, key, send, owner: vault.owner, changed: wake },
  });
  const wallet = createWallet({ ports, network, link, changed });
  const { engine, images, janitor } = createHousekeeping({
    ...{ ports, instance, catalogue: () => keeper.current(), jobs: () => jobs, lending: () => lending, changed, wake },
  });
  const keeper = createCatalogueKeeper({ ports, url: () => session.url(), send, swapped: engine.doubt, changed });
  const gpus = createGpuChoice({ ports, gpus: () => senses.read().gpus, engine: engine.state, wake });
  const trial = createTrial({
    ...{ log, send, wake, catalogue: keeper.current, engine: engine.state },
    gpus: () => senses.read().gpus,
  });
  const jobs = createJobs({
    ...{ trial, ports, books, reporting, instance, link, key, send, changed, slots, wake },
    escalated: (detail) => slow.tell({ detail, at: clock.now() }),
    skew: () => session.skew(),
    doubtSkew: () => session.doubtSkew(),
    catalogue: keeper.current,
    declined: (lane) => delete asked[lane],
    ...{ doubtEngine: engine.doubt, launch: engine.launch, gpus },
  });
  const skew = () => session.skew();
  const renewals = createRenewals({ clock, log, books, send, wake, skew, running: jobs.running });
  const session = createSession({
    ports,
    books,
    changed: wake,
    hello: () => {
      const hello = helloOf(options.version, ports.platform, keeper.current(), books.ledger());
      helloLeases = new Set(hello.leases);
      return hello;
    },
    onMessage: (message) => receive(message),
    onLeave: () => {
      reporting.reset();
      wallet.reset();
      keeper.left();
      lending.left();
      asked = {};
      jobs.releaseAll().catch(() => undefined);
    },
  });
  const lending = createLending({
    ...{ ports, session, instance, device: vault.device, catalogue: keeper.current, lacks: images.lacks },
    ...{ launch: engine.launch, doubtEngine: engine.doubt, changed },
  });
  const receive = createInbox({
    ...{ ports, books, jobs, renewals, reporting, wallet, trial, lending },
    greetedWith: () => helloLeases,
    welcomed: () => {
      keeper.welcomed();
      trial.welcomed();
      lending.welcomed();
      asked = {};
    },
    mayRun: ({ lane, image }) => last?.decision.begins[lane] === true && !images.lacks(image),
    wake: wake,
  });
  const senses = createSenses({
    ...{ clock, log, sources: ports.sensors.sources },
    games: () => settings.current().settings.games,
    changed: () => sensed(),
  });
  const line = createLine({ ports, changed: () => sensed() });
  const mirror = createMirror(ports, picture);
  const book = createSwitchBook(ports);
  const prover = createProver({
    ...{ ports, device: vault.device, instance, engine, share, changed, catalogue: keeper.current },
  });
  const doctor = () =>
    examine({
      ...{ ports, engine, catalogue: keeper.current, catalogueProblems: keeper.problems },
      ...{ coordinator: coordinatorState, skewMs: session.heardSkew },
    });
  const commands = createCommands({
    ...{ ports, books, wallet, prover, programs: senses.programs, examine: doctor, wake: wake },
  });

  /** The link's own state, unless the books disagree: work that could never be reported is not taken on. */
  function coordinatorState(): CoordinatorState {
    const fault = reporting.fault();
    const state = session.state();
    return fault !== null && state.kind === 'connected' ? { kind: 'refused', detail: fault } : state;
  }

  const known = (): Omit<Signals, 'now' | 'timeZone' | keyof Readings> => ({
    settingsOk: settings.current().kind === 'ok',
    ledgerWritable: books.fault() === null,
    sandboxLeaks: prover.leaks(),
    engine: engine.state(),
    coordinator: coordinatorState(),
    ...{ leases: jobs.counts(), gpuFaults: gpus.faults(), ...line.known() },
    ...{ offered: engine.offered(), fetching: engine.fetching() },
  });

  const signalsNow = (): Signals => ({
    ...senses.read(),
    ...{ now: clock.now(), timeZone: clock.timeZone(), ...known() },
  });

  /** What is known now, and what follows from it; nothing is done about it yet. */
  function judge(policy: Policy): Judgement {
    const signals = signalsNow();
    return { signals, decision: decide(signals, policy, memory) };
  }

  /** Puts a decision in force; work that may not run any more is frozen before anything else happens. True: something switched. */
  function rule({ signals, decision }: Judgement): boolean {
    const before = last?.decision ?? null;
    memory = decision.memory;
    last = { signals, decision };
    line.heed(signals);
    enforce(decision, signals);
    return book.add(switchesOf(before, decision, signals.now));
  }

  function enforce(decision: Decision, { freeDiskBytes }: Signals): void {
    jobs.allow(decision, share());
    images.allow(decision.fetches, freeDiskBytes);
    lending.rule({ decision, freeDiskBytes, settings: settings.current().settings, share: share() });
  }

  /** A sensor has told something. A whole round follows only when it changes what may run or why not. */
  function sensed(): void {
    if (!rounds.alive() || last === null || blind) return;
    try {
      const judgement = judge(policyOf(settings.current().settings));
      // Only a round gives: what was read before the sensors rested may be long untrue, and a round looks first.
      if (gives(last.decision, judgement.decision)) {
        // What it takes does not wait for that.
        enforce(takes(last.decision, judgement.decision), judgement.signals);
        wake();
        return;
      }
      if (rule(judgement)) wake();
      else rounds.reconsider();
    } catch (error) {
      lose(error);
      wake();
    }
    changed();
  }

  /** Nobody decides, so nothing may run: the owner could come back unnoticed. */
  function lose(error: unknown): void {
    log('error', 'round-failed', { detail: asFailure(error).message });
    if (!blind) jobs.releaseAll().catch(() => undefined);
    images.halt();
    blind = true;
    changed();
  }

  /** Looks as closely as the decision needs; what was not looked at before is read before it counts. */
  async function attend(policy: Policy, gpus: readonly string[]): Promise<void> {
    const { signals, decision } = judge(policy);
    const attention = attentionFor(decision, jobs.running().length > 0 || images.busy());
    await senses.attend(attention, thresholdsOf(policy, gpus, signals.locked === true));
  }

  async function round(): Promise<void> {
    const state = settings.current();
    // The defaults that stand in for a broken file name no network of the owner's.
    if (state.kind === 'ok') session.use(state.settings.coordinatorUrl);
    const policy = policyOf(state.settings);
    const containers = prover.others(await engine.look());
    await attend(policy, Object.keys(state.settings.gpus));
    // What the owner has said meanwhile counts, and may need to be looked at otherwise.
    if (!rounds.alive() || settings.current() !== state) return wake();
    const judgement = judge(policy);
    rule(judgement);
    const actions = reconcile(judgement.decision, {
      ...{ now: clock.now(), instance, containers, slots },
      leases: jobs.held(),
      releaseAfterMs: RELEASE_AFTER_MS,
    });
    await act(actions);
    reporting.consider();
    renewals.consider();
    blind = false;
    changed();
  }

  async function act(actions: readonly Action[]): Promise<void> {
    // Before the slots are: what the GPU has proven counts only when it is known to be the same.
    trial.tell();
    await Promise.all(
      actions.map(async (action) => {
        if (action.kind !== 'request') return jobs.apply(action);
        // A fresh session counts no slots.
        if ((asked[action.lane] ?? 0) === action.slots) return;
        if (send({ type: 'ready', lane: action.lane, slots: action.slots })) asked[action.lane] = action.slots;
      }),
    );
  }

  /** The next round comes when time alone changes something; all else says so itself. */
  function nextRound(): number {
    const now = clock.now();
    if (last === null || blind) return now + (blind ? BLIND_MS : HEAL_MS);
    const at = nextChange({
      ...{ now, decision: last.decision, signals: last.signals, policy: policyOf(settings.current().settings) },
      ...{ deadlines: jobs.held().map(({ deadline }) => deadline), releaseAfterMs: RELEASE_AFTER_MS },
    });
    return Math.min(now + HEAL_MS, at, renewals.next());
  }

  function picture(): Picture {
    const state = settings.current();
    const signals: Signals = { ...(last?.signals ?? signalsNow()), ...known() };
    return paint({
      ...{ version: options.version, settings: state, signals, memory, machine },
      decision: last?.decision ?? decide(signals, policyOf(state.settings), memory),
      sensors: senses.views(),
      proof: prover.view(),
      slow: slow.now(),
      ledgerFault: books.fault(),
      ...{ vaultFault: session.vaultFault(), url: session.url(), network: network() },
      catalogue: keeper.problems(),
      ...{ running: jobs.running(), images: images.views() },
      totals: books.ledger()?.totals(dayStartOf(clock.now(), clock.utcOffsetMinutes())) ?? null,
      ...{ wallet, traffic: ports.traffic.view(state.settings.limits.network.resetDay), lending: lending.facts() },
    });
  }

  return {
    async start() {
      await Promise.all([ports.workspace.prepare(), prover.open(), line.open()]);
      machine = await ports.sensors.machine();
      await keeper.load();
      unsubscribeSettings = settings.onChange(() => {
        // Who says "pause" waits for no engine either.
        sensed();
        wake();
      });
      rounds.start();
    },
    async stop() {
      rounds.stop();
      unsubscribeSettings();
      slow.close();
      prover.close();
      await soon(ports, farewell());
      await line.close();
      for (const part of [senses, keeper, engine, gpus, book, ports.history]) part.close();
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
    // At once: a round that waits for an engine that hangs must not keep work running, nor leases from others.
    jobs.giveBack();
    const closing = [lending, session, images, janitor].map((part) => part.close());
    await Promise.all([rounds.current(), jobs.releaseAll(), ...closing]);
    if (engine.state().kind === 'ready') await removeAll(ports, vault.device);
    await sweep(ports, books.ledger());
  }
}
