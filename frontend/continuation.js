/**
 * How a call's conversation goes on in another call: when it is time to, and what comes of it.
 */
import { CallProblem } from './problems.js';
import { Succession } from './reconnection.js';
import { isCutOff, Rollover } from './rollover.js';

/** @import {Attempt} from './attempt.js' */
/** @import {Course} from './call-course.js' */
/** @import {CallParts} from './types.js' */

export class Continuation {
  /** When the call is over at the latest, epoch milliseconds; null while that is not known. @type {number | null} */
  endsAt = null;

  /** The search for the call that takes the current one's place. @type {Succession | null} */
  #succession = null;

  /** @type {Rollover | null} */
  #rollover = null;

  #course;
  #parts;

  /** @param {Course} course @param {CallParts} parts */
  constructor(course, parts) {
    this.#course = course;
    this.#parts = parts;
  }

  /** The connection is lost, and another call is sought. */
  get reconnecting() {
    return this.#succession?.afterLoss;
  }

  get mayOutlast() {
    return this.#rollover?.mayOutlast;
  }

  /** Whether the conversation goes on after its call was closed. @param {string} [closeReason] */
  follows(closeReason) {
    const cutOff = this.#parts.options.reconnect && isCutOff(closeReason);
    return cutOff || this.#rollover?.wasForeseen || this.#succession;
  }

  /** The attempt is live. @param {Attempt} attempt */
  begin(attempt) {
    const ask = () => this.#learnEnd(attempt);
    this.#rollover = new Rollover(attempt, ask, () => this.goOn(attempt, false));
  }

  /** The call is not moved any more before it ends. */
  hold() {
    this.#rollover?.stop();
  }

  end() {
    this.#succession?.cancel();
    this.#succession = this.#rollover = null;
  }

  /** Goes on in a new call; one that is being opened serves both reasons. @param {Attempt} attempt @param {boolean} afterLoss  Otherwise this one still works. */
  goOn(attempt, afterLoss) {
    if (attempt.over || attempt !== this.#course.attempt) return;
    const { access, newAttempt, options } = this.#parts;
    if (afterLoss) {
      this.hold();
      attempt.steady = false;
      attempt.connection.onconnectionstatechange = attempt.channel.onclose = null;
    }
    const going = this.#succession;
    this.#succession ??= new Succession(attempt, {
      access,
      timeouts: options.timeouts,
      attempt: newAttempt,
      converse: (next, api) => this.#course.converse(next, api),
      adopt: (next, answer) => {
        this.#succession = null;
        this.#course.adopt(attempt, next, answer);
      },
      gaveUp: (problem) => this.#stayed(attempt, problem),
    });
    this.#succession.afterLoss ||= afterLoss;
    if (afterLoss) this.#course.showLive(attempt);
    if (!going) void this.#succession?.run();
  }

  /** There is no other call to go on in. @param {Attempt} attempt @param {CallProblem} problem */
  #stayed(attempt, problem) {
    const lost = this.reconnecting;
    this.#succession = null;
    if (attempt.over) return;
    if (!lost) return this.#rollover?.retry();
    this.#rollover = null;
    if (problem.code === 'conversation_over') this.#course.closed(attempt);
    else this.#course.fail(attempt, problem.code === 'network_unreachable' ? new CallProblem('connection_lost') : problem);
  }

  /** Asks the broker when the call is over at the latest. @param {Attempt} attempt */
  async #learnEnd(attempt) {
    const { access, options, reports } = this.#parts;
    const status = await access.status(attempt);
    if (!status || attempt.over || attempt !== this.#course.attempt || reports.state.status !== 'live') return null;
    const endsAt = (options.reconnect && status.conversationEndsAt) || status.endsAt;
    if (endsAt && endsAt !== this.endsAt) {
      this.endsAt = endsAt;
      this.#course.showLive(attempt);
    }
    return options.reconnect ? status : null;
  }
}
