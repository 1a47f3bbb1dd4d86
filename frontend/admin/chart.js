/** Charts as SVG: bars upon each other, or lines. They fill their width and are redrawn when it changes. */
import { h, svg } from './dom.js';
import { labelled, ticks } from './scale.js';

/**
 * @typedef {object} Chart
 * @property {'bars' | 'lines'} kind
 * @property {string} title  For who does not see it.
 * @property {readonly string[]} labels  Along the bottom.
 * @property {readonly {name: string, values: readonly (number | null)[]}[]} series  Five at most.
 * @property {(value: number) => string} write
 */

const LEFT = 64;
const TOP = 12;
const HEIGHT = 240;
const FLOOR = HEIGHT - 28;
const LABEL = 64;

/** @param {Chart} chart @returns {HTMLElement} */
export function drawChart(chart) {
  const drawing = h('div.drawing');
  const legend = chart.series.map(({ name }, place) => h('li', {}, h(`span.swatch.c${place + 1}`), name));
  let drawn = 0;
  new ResizeObserver(() => {
    const width = drawing.clientWidth;
    if (!width || width === drawn) return;
    drawn = width;
    drawing.replaceChildren(plot(chart, width));
  }).observe(drawing);
  return h('figure', {}, drawing, legend.length > 1 && h('ul.legend', {}, ...legend));
}

/** @param {Chart} chart @param {number} width */
function plot(chart, width) {
  const { kind, title, labels, series, write } = chart;
  const slot = (width - LEFT) / labels.length;
  const sums = labels.map((_, place) => series.reduce((sum, { values }) => sum + (values[place] ?? 0), 0));
  const marks = ticks(Math.max(0, ...(kind === 'bars' ? sums : series.flatMap(({ values }) => values.map(Number)))));
  const x = (/** @type {number} */ place) => LEFT + slot * (place + 0.5);
  const y = (/** @type {number} */ value) => FLOOR - ((FLOOR - TOP) * value) / marks[marks.length - 1];
  /** @type {Room} */
  const room = { ...chart, x, y, breadth: Math.min(48, Math.max(2, slot * 0.7)) };
  return svg(
    'svg',
    { role: 'img', 'aria-label': title, width, height: HEIGHT },
    ...marks.flatMap((mark) => [
      svg('line', { class: 'grid', x1: LEFT, x2: width, y1: y(mark), y2: y(mark) }),
      svg('text', { x: LEFT - 8, y: y(mark) + 4, 'text-anchor': 'end' }, write(mark)),
    ]),
    ...labelled(labels.length, (width - LEFT) / LABEL).map((place) =>
      svg('text', { x: x(place), y: HEIGHT - 8, 'text-anchor': 'middle' }, labels[place]),
    ),
    ...(kind === 'bars' ? bars(room) : lines(room)),
  );
}

/** @typedef {Chart & {x: (place: number) => number, y: (value: number) => number, breadth: number}} Room */

/** @param {Room} room */
function bars({ labels, series, write, x, y, breadth }) {
  return labels.flatMap((label, place) => {
    let below = 0;
    return series.map(({ name, values }, which) => {
      const value = values[place] ?? 0;
      const height = y(below) - y((below += value));
      const box = { class: `c${which + 1}`, x: x(place) - breadth / 2, y: y(below), width: breadth, height };
      return value > 0 && svg('rect', box, svg('title', {}, `${label}: ${name} ${write(value)}`));
    });
  });
}

/** A line breaks where nothing is known. @param {Room} room */
function lines({ labels, series, write, x, y }) {
  return series.flatMap(({ name, values }, which) => {
    const points = values.map((value, place) => ({ value, place })).filter(({ value }) => value !== null);
    const path = points.map(
      ({ value, place }) => `${values[place - 1] == null ? 'M' : 'L'}${x(place)} ${y(Number(value))}`,
    );
    const dots = points.map(({ value, place }) => {
      const dot = { class: `c${which + 1}`, cx: x(place), cy: y(Number(value)), r: 3.5 };
      return svg('circle', dot, svg('title', {}, `${labels[place]}: ${name} ${write(Number(value))}`));
    });
    return [svg('path', { class: `c${which + 1}`, d: path.join('') }), ...dots];
  });
}
