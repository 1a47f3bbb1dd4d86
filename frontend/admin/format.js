/** Numbers and names as the desk writes them. */

/** @typedef {import('../translation.js').Translation} Words */

/** Nothing known. */
export const NONE = '–';

/** @param {Words} words @param {number} ms */
export function latency(words, ms) {
  const short = ms < 1000;
  return words.number(short ? Math.round(ms) : ms / 1000, {
    style: 'unit',
    unit: short ? 'millisecond' : 'second',
    unitDisplay: 'narrow',
    minimumFractionDigits: short ? 0 : 1,
    maximumFractionDigits: 1,
  });
}

/** US dollars as the broker tells them: a number, `unknown`, or nothing. @param {Words} words @param {string} cost */
export function money(words, cost) {
  const dollars = Number(cost || NaN);
  if (!Number.isFinite(dollars)) return cost ? words.t('unknown') : NONE;
  const digits = dollars && dollars < 1 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 2 };
  return words.number(dollars, { style: 'currency', currency: 'USD', ...digits });
}

/** Long ids are told apart by their beginnings. @param {string} id */
export function short(id) {
  return id.length > 14 ? `${id.slice(0, 12)}…` : id || NONE;
}

/** A word of the broker's, in the reader's language where it is known. @param {Words} words @param {string} kind @param {string} word */
export function named(words, kind, word) {
  const key = `${kind}_${word.replaceAll(' ', '_')}`;
  return words.has(key) ? words.t(key) : word.replaceAll('_', ' ') || NONE;
}

/** Seconds. @param {any} call */
export function lasted(call) {
  return ((call.ended_at ? Date.parse(call.ended_at) : Date.now()) - Date.parse(call.started_at)) / 1000;
}

/** How much failed in a call. @param {any} call */
export function failed(call) {
  return Object.values(call.failures ?? {})
    .flatMap((codes) => Object.values(codes))
    .reduce((sum, count) => sum + Number(count), 0);
}

/** Kinds of tokens; the cached and the written ones are among them. */
const TOKENS = ['text_in', 'audio_in', 'image_in', 'unsplit_in', 'text_out', 'audio_out', 'unsplit_out'];

/** Of a call's usage, or of a row of the report. @param {any} usage */
export function tokens(usage) {
  return TOKENS.reduce((sum, kind) => sum + (usage[kind] ?? 0), 0);
}

/** The latest days in UTC, as the broker counts them. @param {number} count @param {number} now */
export function latestDays(count, now) {
  return Array.from({ length: count }, (_, place) =>
    new Date(now - (count - 1 - place) * 86_400_000).toISOString().slice(0, 10),
  );
}
