/** Work in steps, which yields between them. At one go. */
export function throughAll<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same in between other things: `pause` is asked after each step, and waited for unless it is null. */
export async function inTurns<T>(steps: Generator<void, T>, pause: () => Promise<void> | null): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    const paused = pause();
    if (paused !== null) await paused;
  }
}
