/** What has not ended by then never will. */
const WITHIN_MS = 30_000;

/**
 * Fires once on the first request to stop. A second one ends the process at once, and so does time: what still hangs then is not
 * waited for, and says so by the status.
 */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(130);
      controller.abort();
      setTimeout(() => process.exit(1), WITHIN_MS).unref();
    });
  }
  return controller.signal;
}

export const stopped = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve());
  });
