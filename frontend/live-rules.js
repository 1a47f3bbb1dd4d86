/**
 * By which rules words become turns: times, acknowledgements, ends of sentences. Pure.
 */

/** Milliseconds. */
export const TIMES = Object.freeze({
  /** A pause this long after the user's last word gives the turn to the assistant. */
  separation: 500,
  /** An assistant's turn ends after this long without a word. */
  silence: 2_000,
  /** An acknowledgement is shorter than this … */
  acknowledgement: 1_000,
  /** … and no other words of the assistant are this near to it. */
  isolation: 2_000,
  /** Both sides' words of one interval are waited for this long. */
  settling: 50,
  /** Words that are no later than this still find their place. */
  lateness: 10_000,
  /** Words are this far ahead of their sound: a user who speaks by then speaks into the answer … */
  ahead: 600,
  /** … and has interrupted it, unless it goes on this soon. */
  continuation: 800,
});

const ACKNOWLEDGEMENTS = [
  'aha',
  'alright',
  'gotcha',
  'hm',
  'hmm',
  'mhm',
  'mm',
  'mm hmm',
  'okay',
  'ok',
  'right',
  'sure',
  'uh huh',
  'yeah',
  'yep',
  'yes',
];

const LONGEST_ACKNOWLEDGEMENT = 40;

/** @param {string} text */
export function isAcknowledgement(text) {
  return ACKNOWLEDGEMENTS.includes(bare(text));
}

/** With more words, perhaps. @param {string} text */
export function mayBecomeAcknowledgement(text) {
  const words = bare(text);
  return words !== '' && ACKNOWLEDGEMENTS.some((each) => each.startsWith(words));
}

/** The words without capitals and punctuation; empty if they are too many. @param {string} text */
function bare(text) {
  if (text.length > LONGEST_ACKNOWLEDGEMENT) return '';
  const words = text.toLowerCase().replaceAll('-', ' ');
  return words
    .replace(/^[\s.,!?;:"'()[\]{}]+|[\s.,!?;:"'()[\]{}]+$/gu, '')
    .split(/\s+/u)
    .join(' ');
}

/** @param {string} text */
export function endsSentence(text) {
  return /[.!?…。！？]["'”’»)\]）」』\s]*$/u.test(text);
}
