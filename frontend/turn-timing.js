/**
 * How long the user waits for each answer: from the end of what they say to its first sound. Pure.
 */

/** @import {Level, Quality, Turn} from './types.js' */

/** What began longer ago than this is not what the answer answers. */
const LONGEST = 120_000;

/** By the events of an API that tells when either side starts and stops. */
export class TurnTiming {
  /** When the user had finished; 0 if nothing waits for an answer. */
  #asked = 0;

  /** @param {number} now */
  asked(now) {
    this.#asked = now;
  }

  /** Nothing waits for an answer any more. */
  dropped() {
    this.#asked = 0;
  }

  /** The first sound of an answer. @param {number} now @returns {Turn | null} Null for one that nobody waited for. */
  answered(now) {
    const latencyMs = now - this.#asked;
    const counts = this.#asked > 0 && latencyMs < LONGEST;
    this.#asked = 0;
    return counts ? { latencyMs, at: now } : null;
  }
}

/** Peaks from 0 to 1, above which somebody speaks. */
const SPOKEN = Object.freeze({ microphone: 0.05, answer: 0.01 });

/** Milliseconds of silence before a sound of the answer is its first. */
const PAUSE = 400;

/** The longest pause between question and answer that makes a turn. */
const BELONGS = 15_000;

/**
 * By loudness, for an API that tells nothing: from the last sound of the user to the first of the answer.
 * An answer that begins while the user is still speaking has no latency.
 */
export class HeardTiming {
  #userLoudAt = 0;
  #answerLoudAt = 0;

  /** @param {Level} level @param {number} now @returns {Turn | null} */
  measure({ microphone, answer }, now) {
    if (microphone > SPOKEN.microphone) this.#userLoudAt = now;
    if (answer <= SPOKEN.answer) return null;
    const begins = now - this.#answerLoudAt > PAUSE;
    const waited = this.#userLoudAt > this.#answerLoudAt ? now - this.#userLoudAt : 0;
    this.#answerLoudAt = now;
    return begins && waited > 0 && waited < BELONGS ? { latencyMs: waited, at: now } : null;
  }
}

/** Turns that are kept. */
const MOST_TURNS = 500;

/** What a call has cost in time. */
export class Timings {
  /** Milliseconds from the start to the live call; null before that. @type {number | null} */
  connectMs = null;

  /** @type {readonly Turn[]} */
  turns = [];

  /** The latest. @type {Quality | null} */
  quality = null;

  #startedAt;

  /** @param {number} [startedAt] */
  constructor(startedAt = 0) {
    this.#startedAt = startedAt;
  }

  /** @param {number} now */
  connected(now) {
    this.connectMs ??= now - this.#startedAt;
  }

  /** @param {Turn} turn */
  answered(turn) {
    this.turns = [...this.turns, turn].slice(-MOST_TURNS);
  }
}
