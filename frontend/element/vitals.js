/** What the call costs in time: how long it took to connect, each turn's latency, and the connection. */
import { SVG, h, put } from './dom.js';

/** @import {Translation} from '../translation.js' */
/** @import {Quality, Turn} from '../types.js' */

const TURNS = 16;
const WIDTH = 128;
const HEIGHT = 40;

/** The scale ends here unless a turn was slower. */
const USUAL_MS = 1_500;

export class Vitals {
  #words;
  #chart = document.createElementNS(SVG, 'svg');
  #last = h('p', { className: 'figure' });
  #list = h('dl');
  #turns;

  /** @param {Translation} words */
  constructor(words) {
    const { t } = words;
    this.#words = words;
    this.#chart.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    this.#chart.setAttribute('role', 'img');
    this.#turns = h('div', { className: 'turns', hidden: true }, h('h3', {}, t('delay')), this.#last, this.#chart);
    /** @type {HTMLElement} */
    this.element = h('aside', { id: 'vitals', part: 'vitals', hidden: true }, this.#turns, this.#list);
  }

  /** @param {{connectMs?: number | null, turns?: readonly Turn[], quality?: Quality | null}} timings */
  show({ connectMs = null, turns = [], quality = null }) {
    const { t } = this.#words;
    const facts = [
      [t('setup'), this.#inMs(connectMs)],
      [t('round_trip'), this.#inMs(quality?.roundTripMs)],
      [t('jitter'), this.#inMs(quality?.jitterMs)],
      [t('loss'), this.#inPercent(quality?.lossPercent)],
    ].filter(([, value]) => value);
    this.element.hidden = !facts.length && !turns.length;
    this.#list.replaceChildren(...facts.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))));
    this.#turns.hidden = !turns.length;
    if (turns.length) this.#draw(turns.slice(-TURNS));
  }

  /** @param {readonly Turn[]} turns */
  #draw(turns) {
    const top = Math.max(USUAL_MS, ...turns.map(({ latencyMs }) => latencyMs));
    const step = WIDTH / TURNS;
    const bars = turns.map(({ latencyMs }, at) => {
      const tall = Math.max(3, (latencyMs / top) * (HEIGHT - 2));
      const bar = document.createElementNS(SVG, 'rect');
      const place = { x: WIDTH - (turns.length - at) * step + 1, y: HEIGHT - tall, width: step - 2, height: tall, rx: 1 };
      for (const [name, value] of Object.entries(place)) bar.setAttribute(name, String(value));
      bar.classList.toggle('last', at === turns.length - 1);
      return bar;
    });
    this.#chart.replaceChildren(...bars);
    const spoken = turns.map(({ latencyMs }) => this.seconds(latencyMs)).join(', ');
    this.#chart.setAttribute('aria-label', `${this.#words.t('delays')}: ${spoken}`);
    put(this.#last, this.seconds(turns[turns.length - 1].latencyMs));
  }

  /** @param {number} ms */
  seconds(ms) {
    const digits = ms < 9_950 ? 1 : 0;
    return this.#unit(ms / 1000, 'second', digits);
  }

  /** @param {number | null | undefined} ms */
  #inMs(ms) {
    return typeof ms === 'number' ? this.#unit(Math.round(ms), 'millisecond', 0) : '';
  }

  /** @param {number | null | undefined} percent */
  #inPercent(percent) {
    return typeof percent === 'number' ? this.#unit(percent, 'percent', percent < 9.95 ? 1 : 0) : '';
  }

  /** @param {number} value @param {string} unit @param {number} digits */
  #unit(value, unit, digits) {
    return this.#words.number(value, { style: 'unit', unit, unitDisplay: 'narrow', minimumFractionDigits: digits, maximumFractionDigits: digits });
  }
}
