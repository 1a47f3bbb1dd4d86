/**
 * Gets the answer to an offer, from the broker or, with a key from the broker, from the model's
 * endpoint; and tells the broker when the call is over.
 */
import { CallProblem } from './problems.js';
import {
  callStatus,
  connectThroughBroker,
  connectToModel,
  hangUp,
  mayCall,
  mintKey,
  register,
  timed,
} from './signalling.js';

/** @import {Attempt} from './attempt.js' */
/** @import {Answer, CallStatus, Key, Options} from './types.js' */

/** No key expires sooner, in milliseconds (measured on Azure). */
const SHORTEST_KEY = 10_000;

/** Milliseconds between two questions about the same call. */
const ASK_AGAIN = 500;

export class Access {
  #options;
  #refused;

  /** @type {WeakMap<Attempt, Promise<Record<string, string>>>} */
  #headers = new WeakMap();

  /**
   * @param {Options} options
   * @param {(attempt: Attempt, problem: CallProblem) => void} refused
   *   Called when the broker refuses to register a call made with its key.
   */
  constructor(options, refused) {
    this.#options = options;
    this.#refused = refused;
  }

  /**
   * Gets everything needed to post an offer, and returns the function that posts it.
   * @param {Attempt} attempt
   * @param {string} [continues]  The URL of the call that this one continues.
   * @returns {Promise<(offer: string) => Promise<Answer>>}
   */
  async prepare(attempt, continues = '') {
    const { fetch, clock } = this.#options.environment;
    const now = () => clock.now();
    const headers = await this.#headersOf(attempt);
    if (this.#options.mode === 'connect') {
      // Not aborted by `stop`: the broker would start the call anyway, and only its response says
      // which call to hang up.
      return (offer) =>
        this.#timed(null, (signal) =>
          connectThroughBroker({ fetch, url: this.#options.connectUrl, headers, signal, now }, offer, continues),
        );
    }
    const mint = () =>
      this.#timed(attempt, (signal) => mintKey({ fetch, url: this.#options.tokenUrl, headers, signal }));
    let key = await mint();
    const minted = now();
    return async (offer) => {
      const post = (/** @type {Key} */ fresh) =>
        this.#timed(attempt, (signal) => connectToModel(fetch, fresh, signal, offer));
      const { sdp, callId } = await post(key).catch(async (error) => {
        // Whoever thinks about the microphone's prompt for longer than the key lives gets another key.
        if (error.code !== 'key_refused' || now() - minted < SHORTEST_KEY) throw error;
        key = await mint();
        return post(key);
      });
      // Keys are for Realtime alone.
      return { sdp, location: callId ? this.#register(attempt, callId, key.endpoint) : '', api: '', askedAt: minted };
    };
  }

  /**
   * Asks whether the caller may call at all, which should be known before the user is asked for the
   * microphone. What cannot be known in time is left to the offer.
   * @param {Attempt} attempt
   * @throws {CallProblem}
   */
  async check(attempt) {
    const { environment, connectUrl: url, timeouts } = this.#options;
    const { clock, fetch } = environment;
    const headers = await this.#headersOf(attempt);
    const request = (/** @type {AbortSignal} */ signal) => mayCall({ fetch, url, headers, signal });
    const refusal = await timed(clock, timeouts.check, attempt.signal, request).catch((error) => error);
    if (refusal && refusal.code !== 'request_timeout') throw refusal;
  }

  /**
   * Hangs up a call that the broker has started or is starting. The wait is bounded, not the request.
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

  /** The call's URL at the broker; empty without one. @param {Attempt} attempt @returns {Promise<string>} */
  async location(attempt) {
    return (await attempt.answer?.then(({ location }) => location).catch(() => '')) ?? '';
  }

  /**
   * The call as the broker has it on record; null if it does not say in time. Never rejects.
   * @param {Attempt} attempt
   * @param {number} [ms]
   * @returns {Promise<CallStatus | null>}
   */
  async status(attempt, ms = this.#options.timeouts.hangUp) {
    const { clock, fetch } = this.#options.environment;
    const url = await this.location(attempt);
    const answer = await attempt.answer?.catch(() => null);
    if (!url || !answer) return null;
    return timed(clock, ms, null, (signal) =>
      callStatus({ fetch, url, headers: attempt.headers, signal }, answer.askedAt),
    );
  }

  /**
   * How a call ended that the page did not end, as far as the broker knows. It may be about to write that
   * down, so it is asked again, for as long as a hang-up may take.
   * @param {Attempt} attempt
   * @returns {Promise<CallStatus | null>}
   */
  async askHowEnded(attempt) {
    const { clock } = this.#options.environment;
    const giveUp = clock.now() + this.#options.timeouts.hangUp;
    for (;;) {
      const left = giveUp - clock.now();
      const status = left > 0 ? await this.status(attempt, left) : null;
      if (!status || status.ended) return status;
      await new Promise((resolve) => clock.setTimeout(() => resolve(null), ASK_AGAIN));
    }
  }

  /**
   * Runs in parallel with the start of the call. Not aborted by `stop`: its response says what to hang up.
   * @param {Attempt} attempt
   * @param {string} callId
   * @param {string} endpoint  Of the key that started it.
   */
  async #register(attempt, callId, endpoint) {
    const { fetch } = this.#options.environment;
    const request = { fetch, url: this.#options.callsUrl, headers: attempt.headers };
    try {
      return await this.#timed(null, (signal) => register({ ...request, signal }, callId, endpoint));
    } catch (error) {
      this.#refused(attempt, error instanceof CallProblem ? error : new CallProblem('network_unreachable'));
      return '';
    }
  }

  /** The page is asked once for each attempt. @param {Attempt} attempt */
  async #headersOf(attempt) {
    let asked = this.#headers.get(attempt);
    if (!asked) this.#headers.set(attempt, (asked = this.#ownHeaders()));
    attempt.headers = await asked;
    return attempt.headers;
  }

  async #ownHeaders() {
    try {
      const own = await this.#options.headers();
      // A name or value that is none would look like a dead network.
      new Headers(own);
      return own;
    } catch (error) {
      throw error instanceof CallProblem
        ? error
        : new CallProblem('sign_in_required', { detail: String(error) });
    }
  }

  /**
   * @template T
   * @param {Attempt | null} attempt  The request is aborted when it ends.
   * @param {(signal: AbortSignal) => Promise<T>} request
   */
  #timed(attempt, request) {
    const { clock } = this.#options.environment;
    return timed(clock, this.#options.timeouts.request, attempt?.signal ?? null, request);
  }
}
