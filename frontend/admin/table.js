/** A table that scrolls in a frame of its own. */
import { h } from './dom.js';

/** @typedef {{label: string, cell: (row: any) => import('./dom.js').Child, number?: boolean}} Column */

/** @param {string} label @param {readonly Column[]} columns @param {readonly any[]} rows */
export function table(label, columns, rows) {
  const kind = (/** @type {Column} */ { number }) => ({ class: number && 'number' });
  const head = columns.map((one) => h('th', { scope: 'col', ...kind(one) }, one.label));
  const body = rows.map((row) => h('tr', {}, ...columns.map((one) => h('td', kind(one), one.cell(row)))));
  const frame = { tabindex: 0, role: 'region', 'aria-label': label };
  return h('div.scrolls', frame, h('table', {}, h('thead', {}, h('tr', {}, ...head)), h('tbody', {}, ...body)));
}
