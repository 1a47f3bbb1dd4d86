/** The model's endpoints: how each is, and which share of the calls it gets. */
import { getJson, urlOf } from './api.js';
import { heading } from './desk.js';
import { h, put } from './dom.js';
import { NONE, named } from './format.js';
import { table } from './table.js';

/** @typedef {import('../translation.js').Translation} Words */

/** Milliseconds. A cool-down lasts some seconds, and up to ten minutes. */
const EVERY = 5_000;

/** Whether calls start there. @param {Words} words @param {any} endpoint */
export function stateText({ t, dateTime }, { weight, state, cooling_until: until }) {
  if (state !== 'cooling') return t(weight > 0 ? 'endpoint_well' : 'endpoint_drained');
  return t('endpoint_cooling', { time: dateTime(Date.parse(until), { timeStyle: 'medium' }) });
}

/** Why not, and calls of which models. @param {Words} words @param {any} endpoint */
export function whyText(words, { reason, cooling_models: models }) {
  return reason ? [named(words, 'reason', reason), ...models].join(', ') : '';
}

/** Which part of all starts. @param {Words} words @param {number} starts @param {number} all */
export function shareText(words, starts, all) {
  return all ? words.number(starts / all, { style: 'percent', maximumFractionDigits: 1 }) : NONE;
}

/** @param {Words} words @param {Record<string, number>} reasons */
export function reasonsText(words, reasons) {
  return Object.entries(reasons)
    .map(([reason, count]) => `${named(words, 'reason', reason)}: ${words.number(count)}`)
    .join('; ');
}

/** @param {Words} words @param {readonly any[]} rows @returns {import('./table.js').Column[]} */
function columns(words, rows) {
  const { t, number } = words;
  const all = rows.reduce((sum, { starts }) => sum + starts, 0);
  const state = (/** @type {any} */ row) => h('span', { 'data-state': row.state }, stateText(words, row));
  const place = (/** @type {any} */ row) => [row.provider, row.region].filter(Boolean).join(', ');
  const two = (/** @type {import('./dom.js').Child} */ first, /** @type {string} */ more) =>
    h('div', {}, first, more && h('p.quiet', {}, more));
  return [
    { label: t('endpoint'), cell: (row) => two(row.name, place(row)) },
    { label: t('status'), cell: (row) => two(state(row), whyText(words, row)) },
    { label: t('starts'), number: true, cell: (row) => number(row.starts) },
    { label: t('share'), number: true, cell: (row) => shareText(words, row.starts, all) },
    { label: t('refusals'), cell: (row) => two(number(row.refusals), reasonsText(words, row.refused_for)) },
    { label: t('weight'), number: true, cell: (row) => number(row.weight) },
    { label: t('profiles'), cell: (row) => row.profiles.join(', ') || NONE },
  ];
}

/** @param {import('./desk.js').Desk} desk @returns {import('./desk.js').View} */
export function endpointsView(desk) {
  const { t, dateTime } = desk.words;
  const note = h('p.quiet');
  const result = h('div.endpoints');
  let drawn = '';

  const poller = desk.poll(async (signal) => {
    const found = await getJson(urlOf('endpoints'), signal);
    const news = JSON.stringify(found);
    if (news === drawn) return;
    drawn = news;
    put(note, t('endpoints_since', { time: dateTime(Date.parse(found.since)) }));
    result.replaceChildren(table(t('endpoints'), columns(desk.words, found.endpoints), found.endpoints));
  }, EVERY);

  const element = h('section.report', {}, heading(t('endpoints')), note, result);
  return { element, close: () => poller.stop() };
}
