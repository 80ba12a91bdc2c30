/** @typedef {import('./head.mjs').Target} Target */

const OFTEN_MS = 1_000;
const SELDOM_MS = 10_000;
/** Whoever reads them takes 4 MiB in all: work that makes itself refused all the time must not use that up. */
const OFTEN_LINES = 1_000;

/**
 * What has passed and what was refused, as lines: at once after a rest, then not more often than the pace allows.
 * @param {{
 *   readonly say: (line: string) => void,
 *   readonly after: (ms: number, run: () => void) => unknown,
 *   readonly counted: () => {readonly sent: number, readonly received: number},
 * }} options
 */
export function createReports({ say, after, counted }) {
  /** @type {Record<string, number>} */
  const refusals = {};
  /** @type {{why: string, host?: string, port?: number} | null} */
  let last = null;
  let lines = 0;
  let resting = false;
  let due = false;

  function report() {
    due = false;
    resting = true;
    lines += 1;
    say(JSON.stringify({ ...counted(), refused: refusals, ...(last === null ? {} : { last }) }));
    after(lines < OFTEN_LINES ? OFTEN_MS : SELDOM_MS, () => {
      resting = false;
      if (due) report();
    });
  }

  function changed() {
    if (resting) due = true;
    else report();
  }

  return {
    changed,
    /**
     * @param {string} why
     * @param {Target | null} target
     */
    refused(why, target) {
      refusals[why] = (refusals[why] ?? 0) + 1;
      last = { why, ...target };
      changed();
    },
  };
}
