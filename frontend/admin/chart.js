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

const TOP = 12;
const HEIGHT = 240;

/** Of a character and of a label below, in the text's own size. */
const CHARACTER = 0.65;
const LABEL = 6;

/** @param {Chart} chart @returns {HTMLElement} */
export function drawChart(chart) {
  const drawing = h('div.drawing');
  const legend = chart.series.map(({ name }, place) => h('li', {}, h(`span.swatch.c${place + 1}`), name));
  let drawn = 0;
  new ResizeObserver(() => {
    const width = drawing.clientWidth;
    if (!width || width === drawn) return;
    drawn = width;
    drawing.replaceChildren(plot(chart, width, 0.75 * parseFloat(getComputedStyle(drawing).fontSize)));
  }).observe(drawing);
  return h('figure', {}, drawing, legend.length > 1 && h('ul.legend', {}, ...legend));
}

/** @param {Chart} chart @param {number} width @param {number} text  The size of its text. */
function plot({ title, labels, series, write, reaches }, width, text) {
  const sums = labels.map((_, place) => series.reduce((sum, { values }) => sum + values[place], 0));
  const marks = ticks(Math.max(...sums));
  const left = 8 + text * CHARACTER * Math.max(...marks.map((mark) => write(mark).length));
  const floor = HEIGHT - 2 * text;
  const slot = (width - left) / labels.length;
  const breadth = Math.min(48, slot * 0.7);
  const x = (/** @type {number} */ place) => left + slot * (place + 0.5);
  const y = (/** @type {number} */ value) => floor - ((floor - TOP) * value) / marks[marks.length - 1];
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
      svg('line', { class: 'grid', x1: left, x2: width, y1: y(mark), y2: y(mark) }),
      svg('text', { x: left - 8, y: y(mark) + text / 3, 'text-anchor': 'end' }, write(mark)),
    ]),
    ...labelled(labels.length, (width - left) / (text * LABEL)).map((place) =>
      svg('text', { x: x(place), y: HEIGHT - text / 2, 'text-anchor': 'middle' }, labels[place]),
    ),
    ...bars,
  );
}
