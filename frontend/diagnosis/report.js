/** What was found, in words. */
import { explain } from '../problems.js';

/** @import { Translation } from '../translation.js' */
/** @import { Result } from './diagnosis.js' */

/**
 * @param {Result} result
 * @param {Translation} translation  With the parts `diagnosis` and `problems`.
 * @returns {{title: string, found: string, remedy: string, operator: string}} Each may be empty but the title.
 */
export function inWords({ check, text = '', values = {}, problem }, { t, has }) {
  const title = t(`check_${check}`);
  if (problem) {
    const { title: found, advice: remedy, operator, reference } = explain(problem, { t, has });
    return { title, found, remedy, operator: [operator, problem.code, reference].filter(Boolean).join(' · ') };
  }
  const known = values.needed ? { needed: t(`check_${values.needed}`) } : values;
  const say = (/** @type {string} */ key) => (has(key) ? t(key, known) : '');
  return { title, found: say(text), remedy: say(`${text}_remedy`), operator: '' };
}

/**
 * A text to send to whoever can help. It has no key, no session and nothing that was said.
 * @param {readonly Result[]} results
 * @param {Translation} translation
 * @param {readonly string[]} about  Lines about page and browser.
 */
export function report(results, translation, about) {
  const { t } = translation;
  const lines = results.flatMap((result) => {
    const { title, ...rest } = inWords(result, translation);
    const head = `[${t(`outcome_${result.outcome}`)}] ${title} (${Math.round(result.ms)} ms)`;
    return [head, ...Object.values(rest).filter(Boolean).map((line) => `    ${line}`)];
  });
  return [t('diagnosis'), ...about, '', ...lines, ''].join('\n');
}
