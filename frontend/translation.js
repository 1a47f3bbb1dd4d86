/**
 * The page's words in the reader's language: texts with placeholders and plurals, numbers, dates.
 *
 * Only the files of the chosen language are loaded; English stands in for a file that cannot be.
 */
import { localStore, recall, remember } from './storage.js';

/** @import {Part, ReaderSurroundings as Surroundings, Values} from './types.js' */
/** @typedef {import('./types.js').Translation} Translation */

/** The languages, each by its own name. @type {Readonly<Record<string, string>>} */
export const LANGUAGES = Object.freeze({ en: 'English', es: 'Español', ru: 'Русский', zh: '简体中文' });

const FALLBACK = 'en';
const WRITTEN_FROM_THE_RIGHT = ['ar', 'fa', 'he', 'ur'];
const REMEMBERED = 'realtime-call.language';

/** @returns {Surroundings} */
function browser() {
  return {
    languages: globalThis.navigator?.languages ?? [],
    storage: localStore(),
    load: async (language, part) => (await import(`./languages/${language}/${part}.js`)).default,
  };
}

/**
 * @param {string | null | undefined} language  As in `lang`; otherwise the remembered one, or the browser's.
 * @param {readonly Part[]} parts  The files that the caller needs.
 * @param {Partial<Surroundings>} [surroundings]
 * @returns {Promise<Translation>}
 */
export async function translation(language, parts, surroundings = {}) {
  const here = { ...browser(), ...surroundings };
  const chosen = choose([language, recall(REMEMBERED, here.storage), ...here.languages]);
  const load = (/** @type {string} */ part) =>
    here.load(chosen, part).catch((error) => {
      if (chosen === FALLBACK) throw error;
      return here.load(FALLBACK, part);
    });
  const texts = Object.assign({}, ...(await Promise.all(parts.map(load))));
  // Of the reader's own region, if the browser says: dates differ between en-GB and en-US.
  const locale = here.languages.find((tag) => primary(tag) === chosen) ?? chosen;
  return translate(chosen, texts, locale);
}

/**
 * A translation with texts that are there already.
 * @param {string} language
 * @param {Readonly<Record<string, string>>} texts
 * @param {string} [locale]  That numbers and dates are written in.
 * @returns {Translation}
 */
export function translate(language, texts, locale = language) {
  const plural = new Intl.PluralRules(language);
  const has = (/** @type {string} */ key) => Object.hasOwn(texts, key);
  const number = (/** @type {number} */ n, /** @type {Intl.NumberFormatOptions} */ options = {}) =>
    new Intl.NumberFormat(locale, options).format(n);

  /** @param {string} key @param {Values} values */
  const form = (key, { count }) => {
    if (typeof count !== 'number') return key;
    return [`${key}_${plural.select(count)}`, `${key}_other`].find(has) ?? key;
  };
  return {
    language,
    direction: WRITTEN_FROM_THE_RIGHT.includes(language) ? 'rtl' : 'ltr',
    has,
    number,
    t: (key, values = {}) => {
      const name = form(key, values);
      if (!has(name)) return key;
      return texts[name].replace(/\{(\w+)\}/g, (placeholder, name) => {
        const value = Object.hasOwn(values, name) ? values[name] : placeholder;
        return typeof value === 'number' ? number(value) : value;
      });
    },
    dateTime: (ms, options = { dateStyle: 'medium', timeStyle: 'short' }) =>
      new Intl.DateTimeFormat(locale, options).format(ms),
    duration: clock,
  };
}

/**
 * Keeps the reader's choice for this browser; null: the browser's languages choose again.
 * @param {string | null} language
 * @param {Surroundings['storage']} [store]
 */
export function rememberLanguage(language, store) {
  remember(REMEMBERED, language ?? '', store);
}

/** The first that there is. @param {(string | null | undefined)[]} wanted */
function choose(wanted) {
  return wanted.map(primary).find((tag) => Object.hasOwn(LANGUAGES, tag)) ?? FALLBACK;
}

/** `es` of `es-MX`. @param {string | null | undefined} tag */
function primary(tag) {
  return (tag ?? '').toLowerCase().split('-')[0];
}

/** @param {number} seconds */
function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
