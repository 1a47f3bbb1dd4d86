/**
 * Goes on with a conversation in a new call, after a loss or before a cap. The broker begins it with what was
 * said; the page keeps its microphone, its captions and the stream that it plays.
 */
import { CallProblem } from './problems.js';
import { watch } from './watch.js';

/** @import {Attempt} from './attempt.js' */
/** @import {Answer, SuccessionHost} from './types.js' */

/** Milliseconds between tries; the last pause is repeated. */
const PAUSES = [0, 500, 1000, 2000, 3000];

/** Problems of the network, the broker's host or the endpoint that may pass, besides those of a 5xx. */
const PASSING = ['network_unreachable', 'request_timeout', 'media_blocked', 'connection_lost', 'broker_failed'];

/** The broker knows no conversation by that handle: a new one begins. */
const UNKNOWN = ['call_not_found', 'already_continued'];

/** The search for the call that takes the place of one. */
export class Succession {
  #before;
  #host;

  /** @type {Attempt | null} */
  #next = null;

  /** Wakes a pause. @type {(() => void) | null} */
  #wake = null;

  over = false;

  /** Whether the call that is to be continued is lost; otherwise it goes on meanwhile. */
  afterLoss = false;

  /** @param {Attempt} before @param {SuccessionHost} host */
  constructor(before, host) {
    this.#before = before;
    this.#host = host;
  }

  /** Tries until a call is live, a problem does not pass, or this is cancelled. Never rejects. */
  async run() {
    const { access, timeouts, gaveUp } = this.#host;
    const { clock } = this.#before;
    const giveUp = clock.now() + timeouts.reconnect;
    let continues = await access.location(this.#before);
    for (let tries = 0; !this.over; tries += 1) {
      const problem = await this.#try(continues);
      if (!problem || this.over) return;
      const pause = Math.max(PAUSES[Math.min(tries, PAUSES.length - 1)], problem.retryAfter * 1000);
      if (UNKNOWN.includes(problem.code) && continues) continues = '';
      else if (passes(problem) && clock.now() + pause < giveUp) await this.#pause(pause);
      else {
        this.over = true;
        gaveUp(problem);
      }
    }
  }

  cancel() {
    this.over = true;
    this.#wake?.();
    this.#drop();
  }

  /** @param {string} continues @returns {Promise<CallProblem | null>} */
  async #try(continues) {
    /** @type {Attempt} */
    let next;
    try {
      next = this.#next = this.#host.attempt();
      const answer = await this.#open(next, continues);
      if (this.over || next.over) return null;
      this.over = true;
      this.#next = null;
      this.#host.adopt(next, answer);
      return null;
    } catch (error) {
      this.#drop();
      return error instanceof CallProblem
        ? error
        : new CallProblem('browser_unsupported', { detail: String(error) });
    }
  }

  /** Until it is live. @param {Attempt} next @param {string} continues @returns {Promise<Answer>} */
  async #open(next, continues) {
    const { access, timeouts, converse } = this.#host;
    const live = new Promise((resolve, reject) => {
      const lost = () => reject(new CallProblem(next.answer ? 'media_blocked' : 'connection_lost'));
      watch(next, timeouts.interruption, { ready: () => resolve(null), steady() {}, lost, closed: lost });
      next.signal.addEventListener('abort', lost);
    });
    // It may be lost before it is waited for.
    live.catch(() => undefined);
    const opening = Promise.all([next.makeOffer(), access.prepare(next, continues)]);
    // The page's own headers may never come.
    const late = next.after(timeouts.request, () => next.release());
    const [offer, post] = await Promise.race([opening, live.then(() => opening)]);
    late();
    await next.sender.replaceTrack(this.#before.microphone?.track ?? null);
    if (next.over) throw new CallProblem('connection_lost');
    next.answer = post(offer);
    next.keepOffer();
    const answer = await next.answer;
    if (next.over) throw new CallProblem('connection_lost');
    converse(next, answer.api);
    await next.connection.setRemoteDescription({ type: 'answer', sdp: answer.sdp }).catch(() => {
      throw new CallProblem('answer_invalid');
    });
    const connected = next.after(timeouts.media, () => next.release());
    await live;
    connected();
    return answer;
  }

  #drop() {
    const next = this.#next;
    this.#next = null;
    if (!next) return;
    next.release();
    void this.#host.access.giveUp(next);
  }

  /** @param {number} ms */
  #pause(ms) {
    const { clock } = this.#before;
    return new Promise((resolve) => {
      const timer = clock.setTimeout(() => resolve(null), ms);
      this.#wake = () => {
        clock.clearTimeout(timer);
        resolve(null);
      };
    });
  }
}

/** Whether trying again may help. @param {CallProblem} problem */
function passes({ code, status }) {
  return PASSING.includes(code) || status >= 500 || status === 429;
}
