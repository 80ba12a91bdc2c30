/** A request that is not carried out. `why` is one word of a closed list, for counting; the message is for who asked. */
export class Refusal extends Error {
  /**
   * @param {number} status of HTTP
   * @param {string} why
   * @param {string} message
   */
  constructor(status, why, message) {
    super(message);
    this.status = status;
    this.why = why;
  }
}
