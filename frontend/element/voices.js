/**
 * The two voices as they sound. Time runs along a line away from “now”: the assistant's voice stands on it,
 * the user's hangs below, and the silence between a question and its answer is measured on it. Where motion
 * is not wanted, two meters stand still instead.
 */
import { Pen } from './voices-pen.js';

/** @import {VoiceGap, VoiceSample} from '../types.js' */
/** @typedef {'idle' | 'live' | 'over'} Phase */

/** Longer than the widest screen shows. */
const KEPT_MS = 60_000;
const PIXELS_PER_MS = 5 / 80;
const REDUCED = '(prefers-reduced-motion: reduce)';

/** A conversation for who has not had one yet: who speaks, from when to when, in seconds. */
const EXAMPLE = /** @type {const} */ ([
  ['you', 0.3, 2.1],
  ['them', 2.75, 7.2],
  ['you', 6.9, 8.6],
  ['them', 9.3, 13.4],
  ['you', 14.2, 16],
]);
const EXAMPLE_SECONDS = 17;

/** Of it is “now”. */
const EXAMPLE_NOW = 11.8 + EXAMPLE_SECONDS * 9;

export class Voices {
  muted = false;

  #canvas;
  #queries = [REDUCED, '(prefers-color-scheme: dark)', '(forced-colors: active)'].map((query) => matchMedia(query));
  #still = this.#queries[0];

  /** @type {Phase} */
  #phase = 'idle';

  #frame = 0;

  /** @type {VoiceSample[]} */
  #samples = [];

  /** @type {VoiceGap[]} */
  #gaps = [];

  #heard = { you: 0, them: 0 };

  /** What is heard, eased. */
  #now = { you: 0, them: 0 };

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.redraw()).observe(canvas);
  }

  /** In the page, or no more: a query keeps alive whoever listens to it. @param {boolean} shown */
  follow(shown) {
    const change = shown ? 'addEventListener' : 'removeEventListener';
    for (const query of this.#queries) query[change]('change', this.#queried);
  }

  #queried = () => {
    this.redraw();
    this.#animate();
  };

  /** A call begins with an empty tape. */
  begin() {
    this.#samples = [];
    this.#gaps = [];
    this.muted = false;
    this.#become('live');
    this.#animate();
  }

  /** Draws each frame of a call, where motion is wanted. */
  #animate() {
    const frame = () => {
      if (this.#phase !== 'live' || this.#still.matches || !this.#canvas.isConnected) return;
      this.redraw();
      this.#frame = requestAnimationFrame(frame);
    };
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(frame);
  }

  /** What was on the tape stands still. */
  end() {
    if (this.#phase === 'live') this.#become(this.#samples.length ? 'over' : 'idle');
  }

  /** @param {Phase} phase */
  #become(phase) {
    this.#phase = phase;
    this.#heard = { you: 0, them: 0 };
    this.#now = { you: 0, them: 0 };
    this.redraw();
  }

  /** @param {{microphone: number, answer: number}} level  0 to 1. */
  hear({ microphone, answer }) {
    const at = Date.now();
    this.#heard = { you: this.muted ? 0 : drawn(microphone), them: drawn(answer) };
    this.#samples.push({ at, ...this.#heard, muted: this.muted });
    while (this.#samples[0].at < at - KEPT_MS) this.#samples.shift();
    if (this.#still.matches) this.redraw();
  }

  /** @param {boolean} waiting  The user has finished, and nobody answers yet. */
  set waiting(waiting) {
    const open = this.#gaps.some(({ to }) => !to);
    if (waiting && !open) this.#gaps.push({ from: Date.now(), to: 0, text: '' });
    if (!waiting && open) this.#gaps = this.#gaps.filter(({ to }) => to);
  }

  /** @param {{latencyMs: number, at: number}} turn @param {string} text */
  answered({ latencyMs, at }, text) {
    this.waiting = false;
    this.#gaps = [...this.#gaps.slice(-20), { from: at - latencyMs, to: at, text }];
  }

  redraw() {
    const pen = Pen.on(this.#canvas);
    if (!pen) return;
    for (const who of /** @type {const} */ (['you', 'them'])) {
      const change = this.#heard[who] - this.#now[who];
      // Up at once, down slowly, as an ear does it.
      this.#now[who] += change * (change > 0 ? 0.35 : 0.12);
    }
    if (this.#still.matches && this.#phase === 'live') this.#drawMeters(pen);
    else this.#drawTape(pen);
  }

  /** @param {Pen} pen */
  #drawTape(pen) {
    const now = this.#phase === 'over' ? (this.#samples.at(-1)?.at ?? 0) : Date.now();
    const x = (/** @type {number} */ at) => pen.head - (now - at) * PIXELS_PER_MS;
    pen.axis();
    if (this.#phase === 'idle') this.#drawExample(pen);
    for (const { at, you, them, muted } of this.#samples) {
      if (x(at) < 0) continue;
      pen.bar(x(at), 'them', them);
      if (muted) pen.dot(x(at));
      else pen.bar(x(at), 'you', you);
    }
    for (const { from, to, text } of this.#gaps) pen.gap(x(from), x(to || now), text);
    pen.half('them', this.#now.them, false);
    pen.half('you', this.#now.you, this.muted && this.#phase === 'live');
  }

  /** @param {Pen} pen */
  #drawExample(pen) {
    for (let across = pen.head - 16; across > 0; across -= 5) {
      const seconds = EXAMPLE_NOW - (pen.head - across) / (PIXELS_PER_MS * 1000);
      const second = seconds % EXAMPLE_SECONDS;
      for (const [who, from, to] of EXAMPLE)
        if (second > from && second < to) pen.bar(across, who, speech(second, from, to), 0.45);
    }
  }

  /** @param {Pen} pen */
  #drawMeters(pen) {
    const { you = 0, them = 0 } = this.#samples.at(-1) ?? {};
    pen.meter('them', them);
    pen.meter('you', this.muted ? 0 : you);
  }
}

/** Speech is at about 0.1 of full scale, and a room at 0.003. @param {number} level */
export function drawn(level) {
  return Math.min(1, Math.sqrt(Math.max(0, level - 0.003)) * 1.9);
}

/** Syllables that rise and fall. @param {number} second @param {number} from @param {number} to */
function speech(second, from, to) {
  const edge = Math.min(1, (second - from) * 5, (to - second) * 4);
  const syllable = Math.abs(Math.sin(second * 9.1) * Math.cos(second * 3.7 + from));
  return edge * (0.14 + 0.64 * syllable * (0.7 + 0.3 * Math.sin(second * 23)));
}
