/**
 * Finds out why an answer does not come. Azure's filter withholds failed and incomplete responses from the
 * page, but the broker has them on record: it is asked when an answer is overdue, and at no other time.
 */

/** @typedef {{what: string, code: string}} Failure  By the broker's names and the endpoint's code. */

/** What leaves a caller without an answer, or with half of one. */
const TELLING = ['response_failed', 'response_incomplete', 'delegation_failed', 'endpoint_error'];

/** Questions about one call. */
const MOST = 60;

/** Milliseconds between two. */
const APART = 2_000;

export class AnswerWatch {
  #ask;

  /** How often what had failed when it was last asked. @type {Record<string, number>} */
  #known = {};

  /** Found, but perhaps of an earlier answer. @type {Failure | null} */
  #suspected = null;

  /** An answer has come since the last question: one that failed may have been asked for again, by the broker. */
  #stale = false;

  #asked = 0;
  #askedAt = -Infinity;

  /** @param {() => Promise<{failures: Record<string, Record<string, number>>} | null>} ask */
  constructor(ask) {
    this.#ask = ask;
  }

  /** An answer has come. */
  answered() {
    this.#stale = true;
    this.#suspected = null;
  }

  /**
   * What has failed, so that no answer comes; null for nothing.
   * @param {number} now
   * @returns {Promise<Failure | null>}
   */
  async look(now) {
    if (this.#asked >= MOST || now - this.#askedAt < APART) return null;
    this.#asked += 1;
    this.#askedAt = now;
    const [suspected, stale] = [this.#suspected, this.#stale];
    this.#suspected = null;
    this.#stale = false;
    const status = await this.#ask();
    /** @type {Failure | null} */
    let found = null;
    for (const [what, codes] of Object.entries(status?.failures ?? {})) {
      for (const [code, count] of Object.entries(codes ?? {})) {
        const key = `${what} ${code}`;
        if (TELLING.includes(what) && count > (this.#known[key] ?? 0)) found = { what, code };
        this.#known[key] = Math.max(count, this.#known[key] ?? 0);
      }
    }
    if (!found || !stale || found.what === 'response_incomplete') return found ?? suspected;
    this.#suspected = found;
    return null;
  }
}
