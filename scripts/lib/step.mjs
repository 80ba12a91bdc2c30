/** A failure whose message is meant for a person: what happened, and what to do about it. */
export class StepFailure extends Error {
  /**
   * @param {string} what one sentence: what went wrong
   * @param {string} todo what to do, ready to copy where it is a command
   */
  constructor(what, todo) {
    super(what);
    this.name = 'StepFailure';
    this.todo = todo;
  }
}

/** @type {NodeJS.WritableStream} */
let sink = process.stdout;

/**
 * Moves the report to another stream, where standard output belongs to a result (`--json`).
 * @param {NodeJS.WritableStream} stream
 */
export function reportTo(stream) {
  sink = stream;
}

/** @param {string} line */
export function say(line) {
  sink.write(`${line}\n`);
}

/** @param {string} line */
export function warn(line) {
  say(`! ${line}`);
}

/**
 * @param {number} ms
 * @returns {string}
 */
export function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** What a step returns when there was nothing to do. */
export const upToDate = Symbol('up to date');

/** A step that lasts longer than this says that it is still at work. Milliseconds. */
const PATIENCE_MS = 6_000;

/**
 * Runs one step of the set-up and reports it as one line with its duration.
 * @param {string} name
 * @param {() => Promise<string | typeof upToDate | undefined | void>} work may return a remark for the line
 * @param {string} [slow] what to say while it takes long, once
 * @returns {Promise<void>}
 */
export async function step(name, work, slow) {
  const start = performance.now();
  const timer = setTimeout(() => say(`… ${name}${slow ? `: ${slow}` : ''}`), PATIENCE_MS);
  try {
    const remark = await work();
    const took = seconds(performance.now() - start);
    if (remark === upToDate) say(`↷ ${name}, up to date ${took}`);
    else say(`✓ ${name}${remark ? ` (${remark})` : ''} ${took}`);
  } catch (error) {
    say(`✗ ${name} ${seconds(performance.now() - start)}`);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Runs a script's main function; a failure is told in words, and the exit status says so.
 * @param {() => Promise<number | void>} main returns the exit status
 */
export async function command(main) {
  try {
    process.exitCode = (await main()) ?? process.exitCode ?? 0;
  } catch (error) {
    process.exitCode = 1;
    if (error instanceof StepFailure) {
      process.stderr.write(`\n${error.message}\n→ ${error.todo}\n`);
    } else {
      process.stderr.write(`\nThe script itself failed; please report this with the lines above.\n`);
      process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    }
  }
}
