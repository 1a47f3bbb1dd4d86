/**
 * How much of a text was said in a given time: an estimate, learned from answers that were heard to their
 * end. With Azure's filter on, nothing says how much of an answer was played. Pure.
 */

/** Milliseconds for one letter, until an answer has been heard; no voice differs by more than the factor. */
const USUAL = 65;
const RANGE = 2.5;

/** A shorter text tells little about the voice. */
const TELLING = 20;

/** How many letters a syllabic sign takes as long as, and a pause at the end of a sentence. */
const SIGN = 4;
const PAUSE = 5;

const SIGNS = '\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}';

/** A word with what follows it, or one sign: Chinese puts no spaces between words. */
const WORDS = new RegExp(`[${SIGNS}]\\P{L}*|[^\\s${SIGNS}]+\\s*|\\s+`, 'gu');

export class SpeakingRate {
  #perLetter = USUAL;

  /** @param {string} text  It was said as a whole. @param {number} ms */
  learn(text, ms) {
    const length = lengthOf(text);
    if (length < TELLING || !(ms > 0)) return;
    const found = Math.min(USUAL * RANGE, Math.max(USUAL / RANGE, ms / length));
    this.#perLetter = (this.#perLetter + found) / 2;
  }

  /** @param {string} text @param {number} ms  For how long it was said. */
  split(text, ms) {
    let heard = '';
    let left = ms / this.#perLetter;
    for (const word of text.match(WORDS) ?? []) {
      left -= lengthOf(word);
      // Cut off in its second half, a word was understood.
      if (left < -lengthOf(word) / 2) break;
      heard += word;
    }
    return { heard, unheard: text.slice(heard.length) };
  }
}

/** In letters. @param {string} text */
function lengthOf(text) {
  const count = (/** @type {RegExp} */ what) => text.match(what)?.length ?? 0;
  const signs = count(new RegExp(`[${SIGNS}\\p{Script=Hangul}]`, 'gu'));
  return text.length + signs * (SIGN - 1) + count(/[.!?…。！？]+/gu) * PAUSE;
}
