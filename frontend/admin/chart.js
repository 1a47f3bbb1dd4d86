/** Bars upon each other, as SVG. A chart fills its width and is redrawn when that changes. */
import { h, svg } from './dom.js';
import { labelled, ticks } from './scale.js';

/**
 * @typedef {object} Chart
 * @property {string} title  For who does not see it.
 * @property {readonly string[]} labels  Along the bottom.
 * @property {readonly {name: string, values: readonly number[]}[]} series  Five at most.
 * @property {(value: number) => string} write
 * @property {boolean} [reaches]  What is told of a part is how far it reaches, not how long it is.
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
function plot({ title, labels, series, write, reaches }, width) {
  const sums = labels.map((_, place) => series.reduce((sum, { values }) => sum + values[place], 0));
  const marks = ticks(Math.max(...sums));
  const slot = (width - LEFT) / labels.length;
  const breadth = Math.min(48, slot * 0.7);
  const x = (/** @type {number} */ place) => LEFT + slot * (place + 0.5);
  const y = (/** @type {number} */ value) => FLOOR - ((FLOOR - TOP) * value) / marks[marks.length - 1];
  const bars = labels.flatMap((label, place) => {
    let below = 0;
    return series.map(({ name, values }, which) => {
      const value = values[place];
      const height = y(below) - y((below += value));
      const box = { class: `c${which + 1}`, x: x(place) - breadth / 2, y: y(below), width: breadth, height };
      return value > 0 && svg('rect', box, svg('title', {}, `${label}: ${name} ${write(reaches ? below : value)}`));
    });
  });
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
    ...bars,
  );
}
