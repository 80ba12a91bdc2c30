/** What a request is refused with: a status of HTTP, and a sentence. */
export class Refusal extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** @param {unknown} error Its code when a system call failed; empty for anything else. */
export const systemCode = (error) => (error instanceof Error && 'code' in error ? String(error.code) : '');
