/**
 * How an attempt at a call gets its answer: from the broker, or from the model's endpoint with a key
 * of the broker's; and how the broker is told that the call is over.
 */
import { CallProblem } from './problems.js';
import { connectThroughBroker, connectToModel, hangUp, mintKey, register, timed } from './signalling.js';

/** @typedef {import('./attempt.js').Attempt} Attempt */
/** @typedef {import('./signalling.js').Answer} Answer */

export class Access {
  #options;
  #refused;

  /**
   * @param {ReturnType<typeof import('./options.js').withDefaults>} options
   * @param {(attempt: Attempt, problem: CallProblem) => void} refused
   *   Called where the broker does not want a call that was made with its key; it has hung it up.
   */
  constructor(options, refused) {
    this.#options = options;
    this.#refused = refused;
  }

  /**
   * Everything that the offer needs in order to be posted, but the offer.
   * @param {Attempt} attempt
   * @returns {Promise<(offer: string) => Promise<Answer>>}
   */
  async prepare(attempt) {
    const { fetch } = this.#options.environment;
    attempt.headers = await this.#ownHeaders();
    const headers = attempt.headers;
    if (this.#options.mode === 'connect') {
      // Not aborted by `stop`: the broker makes the call all the same, and only its answer says
      // which one to hang up.
      return (offer) =>
        this.#timed(null, (signal) =>
          connectThroughBroker({ fetch, url: this.#options.connectUrl, headers, signal }, offer),
        );
    }
    const key = await this.#timed(attempt, (signal) =>
      mintKey({ fetch, url: this.#options.tokenUrl, headers, signal }),
    );
    return async (offer) => {
      const { sdp, callId } = await this.#timed(attempt, (signal) =>
        connectToModel(fetch, key, signal, offer),
      );
      return { sdp, location: callId ? this.#register(attempt, callId) : '' };
    };
  }

  /**
   * Hangs up a call that the broker has made or is still making. Bounded: the wait is, not the request.
   * @param {Attempt} attempt
   * @returns {Promise<void>}
   */
  giveUp(attempt) {
    const { clock, fetch } = this.#options.environment;
    if (!attempt.answer) return Promise.resolve();
    const told = attempt.answer
      .then(({ location }) => location)
      .then(
        (location) => (location ? hangUp(fetch, location, attempt.headers) : undefined),
        () => undefined,
      );
    return new Promise((resolve) => {
      const timer = clock.setTimeout(resolve, this.#options.timeouts.hangUp);
      void told.then(() => {
        clock.clearTimeout(timer);
        resolve();
      });
    });
  }

  /**
   * Beside the call's start and not before it. Not aborted by `stop`: its answer says what to hang up.
   * @param {Attempt} attempt
   * @param {string} callId
   */
  async #register(attempt, callId) {
    const { fetch } = this.#options.environment;
    const request = { fetch, url: this.#options.callsUrl, headers: attempt.headers };
    try {
      return await this.#timed(null, (signal) => register({ ...request, signal }, callId));
    } catch (error) {
      this.#refused(attempt, error instanceof CallProblem ? error : new CallProblem('network_unreachable'));
      return '';
    }
  }

  async #ownHeaders() {
    try {
      return await this.#options.headers();
    } catch (error) {
      throw error instanceof CallProblem
        ? error
        : new CallProblem('sign_in_required', { detail: String(error) });
    }
  }

  /**
   * @template T
   * @param {Attempt | null} attempt  Whose end aborts the request, too.
   * @param {(signal: AbortSignal) => Promise<T>} request
   */
  #timed(attempt, request) {
    const { clock } = this.#options.environment;
    return timed(clock, this.#options.timeouts.request, attempt?.signal ?? null, request);
  }
}
