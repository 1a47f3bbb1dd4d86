/** A report over days: a chart, the sums behind it, and CSV. What it is about, reports.js knows. */
import { getJson, urlOf } from './api.js';
import { drawChart } from './chart.js';
import { heading } from './desk.js';
import { h } from './dom.js';
import { latestDays } from './format.js';
import { writeRoute } from './route.js';
import { table } from './table.js';

/**
 * @typedef {object} Report
 * @property {string} path  The broker's route, and the view's name.
 * @property {Record<string, readonly string[]>} choices  Beside the days: what may be chosen, the usual first.
 * @property {(chosen: Chosen) => readonly string[]} asks  `by` of each request; that of the first is the CSV's too.
 * @property {(words: import('../translation.js').Translation, answers: readonly any[], chosen: Chosen) => Drawn} draw
 */

/** @typedef {{days: readonly string[], by: string, measure: string}} Chosen */
/** @typedef {{chart: import('./chart.js').Chart, columns: import('./table.js').Column[], rows: readonly any[]}} Drawn */

const SPANS = ['7', '1', '30', '90'];

/** Of today, and of longer, which costs the broker more to sum up. Milliseconds. */
const SOON = 15_000;
const LATER = 120_000;

/** @param {import('./desk.js').Desk} desk @param {Report} report @returns {import('./desk.js').View} */
export function reportView(desk, report) {
  const { t } = desk.words;
  const result = h('div');
  const csv = h('a.button', { download: `${report.path}.csv` }, 'CSV');
  const fields = Object.entries({ days: SPANS, ...report.choices }).map(([name, values]) => {
    const word = (/** @type {string} */ value) => (name === 'days' ? t('last_days', { count: Number(value) }) : t(value));
    const options = values.map((value) => h('option', { value }, word(value)));
    return h('select', { name, 'aria-label': t(name) }, ...options);
  });
  const choose = () => {
    const asked = fields.map(({ name, value }) => [name, value]);
    location.hash = writeRoute(report.path, '', Object.fromEntries(asked));
  };
  const form = h('form.row', { onchange: choose }, ...fields);
  const element = h('section.report', {}, heading(t(report.path), form, csv), result);
  let drawn = '';

  /** @type {import('./poller.js').Poller | undefined} */
  let poller;

  function chosen() {
    const { days, by, measure } = Object.fromEntries(fields.map(({ name, value }) => [name, value]));
    const span = latestDays(Number(days), Date.now());
    return { days: span, by, measure, range: { from: span[0], to: span[span.length - 1] } };
  }

  /** @param {AbortSignal} signal */
  async function look(signal) {
    const now = chosen();
    const urls = report.asks(now).map((by) => urlOf(report.path, { ...now.range, by }));
    const answers = await Promise.all(urls.map((url) => getJson(url, signal)));
    const news = JSON.stringify([now, answers]);
    if (news === drawn) return;
    drawn = news;
    const { chart, columns, rows } = report.draw(desk.words, answers, now);
    result.replaceChildren(
      ...(rows.length
        ? [drawChart(chart), table(t(report.path), columns, rows)]
        : [h('p.quiet.empty', {}, t('nothing_yet'))]),
    );
  }

  return {
    element,
    show: ({ query }) => {
      for (const field of fields) {
        const values = [...field.options].map(({ value }) => value);
        field.value = values.includes(query[field.name]) ? query[field.name] : values[0];
      }
      const { days, range, ...rest } = chosen();
      csv.href = urlOf(report.path, { ...range, by: report.asks({ days, ...rest })[0], format: 'csv' });
      poller?.stop();
      poller = desk.poll(look, days.length === 1 ? SOON : LATER);
    },
    close: () => poller?.stop(),
  };
}
