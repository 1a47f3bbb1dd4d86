/**
 * Whether the user has interrupted an answer of a Live call, as far as words tell. Pure.
 */
import { endsSentence, isAcknowledgement, TIMES } from './live-rules.js';

/** @import {Fragment, SpokenTurn} from './types.js' */

export class Interruption {
  /** The assistant's turn that the user spoke into. @type {SpokenTurn | null} */
  #answer = null;

  /** @param {SpokenTurn} answer @param {Fragment} fragment  The user's next. */
  mayBegin(answer, { startMs }) {
    const heardUntil = endsSentence(answer.text) ? answer.endMs : answer.endMs + TIMES.ahead;
    if (startMs >= answer.startMs && startMs < heardUntil) this.#answer = answer;
  }

  /** An answer in whole sentences is not interrupted by an acknowledgement. @param {SpokenTurn} turn  It grew. */
  judge(turn) {
    if (turn.who === 'user' && this.#answer)
      this.#answer.interrupted = !endsSentence(this.#answer.text) || !isAcknowledgement(turn.text);
  }

  /** Where the assistant's words follow at once, nothing was interrupted. @param {Fragment} fragment @returns {boolean} Whether they do. */
  end(fragment) {
    const answer = this.#answer;
    this.#answer = null;
    const goesOn = answer !== null && fragment.startMs - answer.endMs < TIMES.continuation;
    if (goesOn) answer.interrupted = false;
    return goesOn;
  }
}
