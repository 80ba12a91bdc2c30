/** Resolves when the work has ended, or after `ms`: it goes on then, and nobody waits for it. */
export async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}

export type Timer = { readonly stop: () => Promise<void> };

/** Runs `work` now and then `ms` after each end, never twice at once. `stop` resolves when a run in progress has ended. */
export function every(ms: number, work: () => Promise<void>, failed: (error: unknown) => void): Timer {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let run: Promise<void> = Promise.resolve();
  const tick = () => {
    run = work()
      .catch(failed)
      .then(() => {
        if (!stopped) timer = setTimeout(tick, ms);
      });
  };
  tick();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await run;
    },
  };
}
