import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { controlForGame, controlForInput } from './control.ts';
import type { Display } from './display.ts';
import type { Fleet } from './fleet.ts';
import { monotonic } from './stamps.ts';

export type Arm = 'input' | 'game' | 'controlInput' | 'controlGame';

const CATCH_UP_MS = 500;
const LIMIT_MS = 40_000;
/** Longer than a scheduler's period: what was still to run has run. */
const DRAIN_MS = 120;

export type Scene = { readonly fleet: Fleet; readonly display: Display; readonly game: string };

/** Milliseconds since any of it ran, so that what a scheduler's pause would have hidden is not counted as speed. */
const AT_WORK_MS = 2;

/** Somebody comes back to a machine at work. */
function disturb(arm: Arm, { display, game }: Scene): { readonly at: number; readonly program: ChildProcess | null } {
  if (arm === 'input' || arm === 'controlInput') {
    return { at: display.touch(Math.random() < 0.5 ? 'key' : 'motion'), program: null };
  }
  const at = monotonic();
  return { at, program: spawn(game, ['60'], { stdio: 'ignore' }) };
}

export async function ended(program: ChildProcess | null): Promise<void> {
  if (program === null || program.exitCode !== null) return;
  const over = once(program, 'exit');
  program.kill('SIGKILL');
  await over;
}

async function waitFor(what: string, look: () => boolean, everyMs: number): Promise<void> {
  for (const began = Date.now(); !look(); await delay(everyMs)) {
    if (Date.now() - began > LIMIT_MS) throw new Error(`waited in vain for: ${what}`);
  }
}

/** At a moment that has nothing to do with what anybody polls. */
async function atWork(fleet: Fleet): Promise<void> {
  do {
    await fleet.calm();
    await delay(200 + Math.random() * 400);
  } while (!(await fleet.lively()));
  await waitFor('the work to be at work', () => monotonic() - Math.max(...fleet.stamps()) < AT_WORK_MS, 1);
}

/**
 * Milliseconds from one event to the last instruction that any of the fleet's processes ran before it was let go on again.
 * While the control's rules are in force the agent's process is stopped, so that it cannot help.
 */
export async function yieldOnce(arm: Arm, scene: Scene): Promise<number> {
  const { fleet, display, game } = scene;
  const { containers, agent } = fleet;
  const control = arm === 'controlInput' || arm === 'controlGame';
  await atWork(fleet);
  const ids = fleet.watched().map(({ id }) => id);
  if (control) agent.kill('SIGSTOP');
  const rules =
    arm === 'controlInput'
      ? controlForInput(display, containers, ids)
      : arm === 'controlGame'
        ? controlForGame(game, containers, ids)
        : Promise.resolve();
  const { at, program } = disturb(arm, scene);
  await waitFor('the work to stop', () => fleet.watched().every((one) => one.stopped()), 5);
  await rules;
  await delay(DRAIN_MS);
  await ended(program);
  const last = Math.max(...fleet.stamps());
  if (control) {
    await Promise.all(ids.map((id) => containers.thaw(id)));
    agent.kill('SIGCONT');
    // It learns now of what it slept through, and yields.
    await delay(CATCH_UP_MS);
  }
  return Math.max(0, last - at);
}

/** Milliseconds from a game's start until the process that holds memory is gone; 2 ms or less too many. */
export async function freeOnce(scene: Scene): Promise<number> {
  const { fleet } = scene;
  await atWork(fleet);
  const holders = fleet.watched();
  const { at, program } = disturb('game', scene);
  await waitFor('the memory to be free', () => holders.every((one) => one.gone()), 2);
  const took = monotonic() - at;
  await ended(program);
  return took;
}
