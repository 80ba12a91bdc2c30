const STEP_MS = 100;

/** Waits until `look` answers something, and answers it. Fails, naming `what`, when it does not in time. */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  withinMs = 20_000,
): Promise<T> {
  const end = Date.now() + withinMs;
  let trouble: unknown = null;
  for (;;) {
    try {
      const seen = await look();
      if (seen !== null && seen !== undefined && seen !== false) return seen;
      trouble = null;
    } catch (error) {
      trouble = error;
    }
    if (Date.now() > end) throw new Error(`not in ${withinMs} ms: ${what}`, { cause: trouble });
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
}
