/**
 * Everything that happened in a call, to show and to copy to somebody else. So nothing secret gets in: keys,
 * tokens, the call's handle, instructions and pictures are masked.
 */

/** @import {LogEntry} from './types.js' */

const MOST_ENTRIES = 2_000;
const LONGEST_TEXT = 2_000;
const DEEPEST = 8;

const SECRET =
  /^(value|token|[a-z]+_token|authorization|(x-)?(api[-_]?)?key|(client_)?secrets?|password|credentials?|cookie|x-caller-token|location|(server_)?url|headers)$/i;

/** Whoever runs the call wrote it, and may not want it read. */
const PRIVATE = /^(instructions|prompt)$/i;

/** @type {readonly [RegExp, string][]} */
const SECRETS = [
  [/\b(ek|sk|pk)[_-][\w-]{6,}/g, '$1_…'],
  [/\beyJ[\w-]+\.[\w-]+\.?[\w-]*/g, 'eyJ…'],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, '$1 …'],
  [/(\/calls\/)[\w.~-]{12,}/g, '$1…'],
  [/\b(a=(?:ice-pwd|ice-ufrag|fingerprint|crypto|candidate)):[^\r\n]*/g, '$1:…'],
];

export class EventLog {
  /** The latest, oldest first. @type {readonly LogEntry[]} */
  entries = [];

  #made = 0;

  /** @param {LogEntry['from']} from @param {string} type @param {unknown} detail @param {number} at */
  add(from, type, detail, at) {
    this.#made += 1;
    const entry = Object.freeze({ id: this.#made, at, from, type, detail: mask(detail) });
    this.entries = [...this.entries, entry].slice(-MOST_ENTRIES);
    return entry;
  }

  /** One entry a line, to copy. @param {readonly LogEntry[]} [entries] */
  text(entries = this.entries) {
    return entries
      .map(({ at, from, type, detail }) => `${new Date(at).toISOString()} ${from} ${type} ${JSON.stringify(detail)}`)
      .join('\n');
  }
}

/**
 * A copy of a JSON value without what is secret or too long.
 * @param {unknown} value
 * @param {number} [depth]
 * @returns {unknown}
 */
export function mask(value, depth = 0) {
  if (typeof value === 'string') return maskText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth > DEEPEST) return '…';
  if (Array.isArray(value)) return value.map((each) => mask(each, depth + 1));
  const masked = Object.entries(value).map(([name, field]) => {
    const filled = (typeof field === 'string' && field) || (typeof field === 'object' && field);
    if (filled && SECRET.test(name)) return [name, '…'];
    return [name, filled && PRIVATE.test(name) ? shortened('', String(field)) : mask(field, depth + 1)];
  });
  return Object.fromEntries(masked);
}

/** @param {string} text */
function maskText(text) {
  const data = /^data:[^,]{0,99},/.exec(text);
  if (data) return shortened(data[0], text);
  const cut = text.length > LONGEST_TEXT ? shortened(text.slice(0, LONGEST_TEXT), text) : text;
  return SECRETS.reduce((masked, [secret, shown]) => masked.replace(secret, shown), cut);
}

/** @param {string} start @param {string} text */
function shortened(start, text) {
  return `${start}… (${text.length} characters)`;
}
