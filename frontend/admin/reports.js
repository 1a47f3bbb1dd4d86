/** The reports: latency, usage and cost, refusals and failures. */
import { h, marked } from './dom.js';
import { NONE, latency, money, short, tokens } from './format.js';
import { series } from './scale.js';

/** @typedef {import('./report-view.js').Report} Report */
/** @typedef {import('../translation.js').Translation} Words */

/** @param {Words} words @param {readonly string[]} days */
function labels(words, days) {
  return days.map((day) => words.dateTime(Date.parse(day), { day: 'numeric', month: 'short', timeZone: 'UTC' }));
}

/** @param {Words} words @param {readonly string[]} names @param {(row: any, name: string) => string} write */
function numbers({ t }, names, write) {
  return names.map((name) => ({ label: t(name.replace('_ms', '')), number: true, cell: (/** @type {any} */ row) => write(row, name) }));
}

/** @type {Report} */
const LATENCY = {
  path: 'latency',
  choices: { by: ['model', 'profile', 'endpoint'] },
  asks: ({ by }) => ['day', by],
  draw: (words, [daily, grouped], { days, by }) => {
    const { t, number } = words;
    const rows = new Map(daily.latency.map((/** @type {any} */ row) => [row.day, row]));
    const of = (/** @type {string} */ name) => days.map((day) => rows.get(day)?.[name] ?? 0);
    const half = of('p50_ms');
    const above = of('p95_ms').map((ms, place) => ms - half[place]);
    const write = (/** @type {number} */ ms) => latency(words, ms);
    return {
      chart: {
        title: t('latency_chart'),
        labels: labels(words, days),
        series: [
          { name: 'p50', values: half },
          { name: 'p95', values: above },
        ],
        write,
        reaches: true,
      },
      columns: [
        { label: t(by), cell: (row) => row[by] },
        ...numbers(words, ['turns'], (row) => number(row.turns)),
        ...numbers(words, ['slow'], (row) => (grouped.slow_ms ? number(row.slow) : NONE)),
        ...numbers(words, ['p50_ms', 'p75_ms', 'p90_ms', 'p95_ms', 'p99_ms', 'max_ms'], (row, name) => write(row[name])),
      ],
      rows: grouped.latency,
    };
  },
};

/** What a row of usage has of each measure. @type {Record<string, (row: any) => number>} */
const MEASURES = {
  cost: ({ cost }) => Number(cost) || 0,
  calls: ({ calls }) => calls,
  minutes: ({ seconds }) => seconds / 60,
  tokens,
};

/** @type {Report} */
const USAGE = {
  path: 'usage',
  choices: { by: ['profile', 'model', 'endpoint', 'caller'], measure: Object.keys(MEASURES) },
  asks: ({ by }) => [`day,${by}`, by],
  draw: (words, [daily, grouped], { days, by, measure }) => {
    const { t, number } = words;
    const value = MEASURES[measure];
    const write = (/** @type {number} */ sum) => number(sum, { maximumFractionDigits: sum < 10 ? 1 : 0 });
    const found = series(daily.usage, days, (row) => short(row[by]), value);
    return {
      chart: {
        title: t('usage_chart', { measure: t(measure), by: t(by) }),
        labels: labels(words, days),
        series: found.map(({ name, values }) => ({ name: name || t('others'), values })),
        write: measure === 'cost' ? (sum) => money(words, String(sum)) : write,
      },
      columns: [
        { label: t(by), cell: (row) => short(row[by]) },
        ...numbers(words, ['calls', 'minutes', 'tokens'], (row, name) => write(MEASURES[name](row))),
        ...numbers(words, ['failures'], (row) => write(row.failures ?? 0)),
        ...numbers(words, ['cost'], (row) => money(words, row.cost)),
      ],
      rows: [...grouped.usage].sort((one, other) => value(other) - value(one)),
    };
  },
};

/** @type {Report} */
const FAILURES = {
  path: 'failures',
  choices: { by: ['code', 'where'] },
  asks: () => ['day,kind,where,code', 'kind,where,code'],
  draw: (words, [daily, grouped], { days, by }) => {
    const { t, number } = words;
    const where = (/** @type {any} */ row) =>
      row.kind === 'call' ? row.where.replaceAll('_', ' ') : `/api/${row.where}`;
    const found = series(daily.failures, days, by === 'code' ? (row) => row.code : where, (row) => row.count);
    return {
      chart: {
        title: t('failures_chart'),
        labels: labels(words, days),
        series: found.map(({ name, values }) => ({ name: name || t('others'), values })),
        write: number,
      },
      columns: [
        { label: t('code'), cell: (row) => row.code },
        { label: t('where'), cell: where },
        ...numbers(words, ['count'], (row) => number(row.count)),
        { label: t('remedy'), cell: (row) => h('span', {}, ...marked(grouped.problems?.[row.code]?.hint)) },
      ],
      rows: [...grouped.failures].sort((one, other) => other.count - one.count),
    };
  },
};

export const REPORTS = Object.freeze({ latency: LATENCY, usage: USAGE, failures: FAILURES });
