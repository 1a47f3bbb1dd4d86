/**
 * Who is speaking in a Live call, and whether the assistant is looking something up. Pure: no clock.
 *
 * No event says when either side starts or stops. Words come while they are spoken, the user's about a
 * second late; the answer's loudness, where it is measured, says when the assistant has finished. A
 * delegation has no end that a page is told of: what the assistant says at once and briefly is an
 * acknowledgement (“let me check”), what it says after a pause or for longer is the result, and a user who
 * speaks again after either has moved on.
 */

/** @import {Activity} from './types.js' */

/** Milliseconds. */
const HOLDS = Object.freeze({
  /** The user is speaking for this long after each word. */
  hearing: 800,
  /** The assistant is speaking for this long after each word: text is ahead of the sound. */
  answering: 1_200,
  /** The same, where loudness says more precisely when the sound ends. */
  answeringMeasured: 700,
  /** The assistant is speaking for this long after it was loud. */
  audible: 300,
  /** What is said this soon after a delegation acknowledges it … */
  acknowledging: 1_500,
  /** … unless it goes on for longer than this. */
  acknowledgement: 2_500,
  /** A pause this long separates an acknowledgement from the result. */
  pause: 600,
  /** The question may end this much later on the timeline than its delegation. */
  rest: 1_500,
  /** A look-up that nothing is heard of is shown no longer than this. */
  lookUp: 20_000,
});

/** Loudness of the answer, 0 to 1, above which it can be heard. */
const AUDIBLE = 0.01;

export class LiveActivity {
  #hearingUntil = 0;
  #answeringUntil = 0;
  #measured = false;

  /** The assistant's words, without a pause, from when to when. */
  #saying = { from: 0, to: 0 };

  /** When the pending look-up began; 0 for none. */
  #delegatedAt = 0;

  /** Where on the timeline. */
  #delegatedMs = 0;

  /** @param {number} startMs  Of a word, on the timeline. @param {number} now */
  userSpeaks(startMs, now) {
    this.#hearingUntil = now + HOLDS.hearing;
    const acknowledged = this.#saying.to > this.#delegatedAt;
    if (acknowledged && startMs > this.#delegatedMs + HOLDS.rest) this.#delegatedAt = 0;
  }

  /** @param {number} now */
  assistantSpeaks(now) {
    if (now - this.#saying.to > HOLDS.pause) this.#saying.from = now;
    this.#saying.to = now;
    const from = Math.max(this.#saying.from, this.#delegatedAt);
    const acknowledges = from - this.#delegatedAt < HOLDS.acknowledging;
    if (!acknowledges || now - from > HOLDS.acknowledgement) this.#delegatedAt = 0;
    this.#answeringUntil = now + (this.#measured ? HOLDS.answeringMeasured : HOLDS.answering);
  }

  /** @param {number} level  Of the answer. @param {number} now */
  measure(level, now) {
    this.#measured = true;
    if (level > AUDIBLE) this.#answeringUntil = Math.max(this.#answeringUntil, now + HOLDS.audible);
  }

  /** @param {number} offsetMs  On the timeline. @param {number} now */
  delegates(offsetMs, now) {
    this.#delegatedAt = now;
    this.#delegatedMs = offsetMs;
  }

  /** @param {number} now @returns {Activity} */
  at(now) {
    if (now < this.#answeringUntil) return 'answering';
    if (now < this.#hearingUntil) return 'hearing';
    return now < this.#lookUpEnds() ? 'looking_up' : 'listening';
  }

  /** How long the present activity lasts if nothing happens; null for ever. @param {number} now */
  wait(now) {
    const ends = [this.#answeringUntil, this.#hearingUntil, this.#lookUpEnds()].filter((end) => end > now);
    return ends.length ? Math.min(...ends) - now : null;
  }

  #lookUpEnds() {
    return this.#delegatedAt ? this.#delegatedAt + HOLDS.lookUp : 0;
  }
}
