/** Draws a transcript. What does not change keeps its element, so that it can be read and selected. */
import { h, keyed } from './dom.js';
import { latency, named } from './format.js';

/** @typedef {import('../translation.js').Translation} Words */

const NEAR_END = 48;
const MARKS = ['backchannel', 'deleted', 'cut', 'retried'];

/** What each element shows. @type {WeakMap<HTMLElement, string>} */
const drawn = new WeakMap();

/** Not a live region: it would be read out over what is listened to. @param {Words} words */
export function transcriptView({ t }) {
  const log = { role: 'log', 'aria-live': 'off', 'aria-label': t('transcript'), tabindex: 0 };
  return h('div.transcript', log, h('ol'));
}

/** @param {Words} words @param {HTMLElement} log @param {readonly any[]} entries */
export function showEntries(words, log, entries) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END;
  const list = /** @type {Element} */ (log.firstElementChild);
  keyed(list, entries, (_, place) => String(place), (entry, known) => {
    const shown = JSON.stringify(entry);
    const item = known ?? h('li');
    if (drawn.get(item) === shown) return item;
    drawn.set(item, shown);
    item.dataset.who = entry.kind === 'message' ? entry.role : entry.kind;
    const at = words.dateTime(Date.parse(entry.at), { timeStyle: 'medium' });
    item.replaceChildren(
      h('span.who', {}, who(words, entry)),
      h('div.words', {}, ...said(words, entry)),
      h('time', { datetime: entry.at }, at),
      ...notes(words, entry).map((note) => h('p.note', {}, note)),
    );
    return item;
  });
  if (atEnd) log.scrollTop = log.scrollHeight;
}

/** @type {Record<string, string>} */
const SIDES = { user: 'caller', assistant: 'model' };

/** @param {Words} words @param {any} entry */
function who(words, { kind, role, origin }) {
  if (kind !== 'message') return named(words, 'entry', kind);
  return words.t(origin === 'server' || origin === 'page' ? origin : (SIDES[role] ?? role));
}

/** Struck: what the caller did not hear. @param {Words} words @param {any} entry */
function said(words, { kind, name, text, heard_text: heard, ...entry }) {
  if (kind === 'tool_call') return [h('code', {}, `${name}(${entry.arguments ?? ''})`)];
  if (kind === 'tool_result') return [h('code', {}, entry.output)];
  if (kind === 'failure') return [h('code', {}, `${name} ${entry.reason ?? ''}`)];
  if (entry.decision) return [named(words, 'decision', entry.decision)];
  if (!text) return [entry.untranscribed || entry.reason || name || words.t('no_words')];
  return heard !== undefined && text.startsWith(heard) ? [heard, h('s', {}, text.slice(heard.length))] : [text];
}

/** @param {Words} words @param {any} entry @returns {string[]} */
function notes(words, entry) {
  const { t } = words;
  const time = (/** @type {number} */ ms) => ({ time: latency(words, ms) });
  const found = MARKS.filter((mark) => entry[mark]).map((mark) => t(mark));
  if (entry.interrupted) {
    found.unshift(entry.heard_ms === undefined ? t('interrupted') : t('interrupted_after', time(entry.heard_ms)));
  }
  if (entry.latency_ms !== undefined) found.unshift(t('answered_after', time(entry.latency_ms)));
  return found;
}
