/** Draws on the canvas of the voices, in the colours of its style; mirrored where text runs from the right. */

/** @typedef {'you' | 'them'} Who */

const BAR = 2.5;
const STEP = 28;

export class Pen {
  /** @param {HTMLCanvasElement} canvas  Null if it is not to be seen. */
  static on(canvas) {
    const context = canvas.getContext('2d');
    return context && canvas.clientWidth && canvas.clientHeight ? new Pen(canvas, context) : null;
  }

  #context;
  #width;
  #ink;

  /** @param {HTMLCanvasElement} canvas @param {CanvasRenderingContext2D} context */
  constructor(canvas, context) {
    const ratio = devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = canvas;
    const size = { width: Math.round(width * ratio), height: Math.round(height * ratio) };
    if (canvas.width !== size.width || canvas.height !== size.height) Object.assign(canvas, size);
    const style = getComputedStyle(canvas);
    const rtl = style.direction === 'rtl';
    context.setTransform(rtl ? -ratio : ratio, 0, 0, ratio, rtl ? size.width : 0, 0);
    context.clearRect(0, 0, width, height);
    context.lineCap = 'round';
    context.font = `500 13px ${style.fontFamily}`;
    this.#context = context;
    this.#width = width;
    this.#ink = { you: style.color, them: style.outlineColor, quiet: style.textDecorationColor, line: style.caretColor };
    this.rtl = rtl;
    this.middle = Math.round(height / 2);
    /** The longest bar. */
    this.most = this.middle - 8;
    this.margin = Math.max(20, (width - 1152) / 2);
    /** Behind this, the names of the two stand. */
    this.since = this.margin + 4.5 * parseFloat(style.fontSize);
    /** The greatest radius at “now”, and where that is. */
    this.loudest = Math.min(this.most, width * 0.15);
    this.head = width - this.margin - this.loudest;
  }

  axis() {
    this.#stroke(0, this.middle, this.#width, this.middle, this.#ink.line, 1);
  }

  /** @param {number} x @param {Who} who @param {number} level @param {number} [alpha] */
  bar(x, who, level, alpha = 1) {
    const length = level * this.most;
    if (length < 1.5) return;
    const [from, to] = who === 'you' ? [4, 4 + length] : [-4, -4 - length];
    this.#fade(x, alpha);
    this.#stroke(x, this.middle + from, x, this.middle + to, this.#ink[who], BAR);
    this.#context.globalAlpha = 1;
  }

  /** The microphone was off here. @param {number} x */
  dot(x) {
    this.#fade(x, 1);
    this.#disc(x, this.middle + 6, 0.9, this.#ink.quiet);
    this.#context.globalAlpha = 1;
  }

  /** @param {number} from @param {number} to @param {string} text */
  gap(from, to, text) {
    if (from < this.since) return;
    this.#stroke(from, this.middle, to, this.middle, this.#ink.them, 3);
    if (to - from < 14) return;
    const context = this.#context;
    context.save();
    if (this.rtl) context.transform(-1, 0, 0, 1, from + to, 0);
    context.textAlign = 'center';
    context.fillStyle = this.#ink.quiet;
    context.fillText(text, (from + to) / 2, this.middle + 22);
    context.restore();
  }

  /** A half disc at “now”: how loudly somebody speaks. @param {Who} who @param {number} level @param {boolean} hollow */
  half(who, level, hollow) {
    const context = this.#context;
    const rest = Math.max(8, this.loudest * 0.15);
    const below = who === 'you';
    context.beginPath();
    const radius = rest + level * (this.loudest - rest);
    context.arc(this.head, this.middle + (below ? 1.5 : -1.5), radius, below ? 0 : Math.PI, below ? Math.PI : 2 * Math.PI);
    context.closePath();
    context.fillStyle = context.strokeStyle = this.#ink[who];
    context.lineWidth = 2;
    if (hollow) context.stroke();
    else context.fill();
  }

  /** A row of lights. @param {Who} who @param {number} level */
  meter(who, level) {
    const y = this.middle + (who === 'you' ? 18 : -18);
    const first = this.since + 24;
    const count = Math.max(6, Math.floor((this.#width - first - this.margin) / STEP));
    for (let at = 0; at < count; at += 1) {
      const lit = at < Math.round(level * count);
      this.#disc(first + at * STEP, y, lit ? 6 : 2, lit ? this.#ink[who] : this.#ink.quiet);
    }
  }

  /** What is long ago is faint. @param {number} x @param {number} alpha */
  #fade(x, alpha) {
    this.#context.globalAlpha = alpha * Math.max(0, Math.min(1, (x - this.since) / (this.head * 0.4)));
  }

  /** @param {number} x @param {number} y @param {number} radius @param {string} colour */
  #disc(x, y, radius, colour) {
    this.#context.fillStyle = colour;
    this.#context.beginPath();
    this.#context.arc(x, y, radius, 0, 2 * Math.PI);
    this.#context.fill();
  }

  /** @param {number} x1 @param {number} y1 @param {number} x2 @param {number} y2 @param {string} colour @param {number} wide */
  #stroke(x1, y1, x2, y2, colour, wide) {
    const context = this.#context;
    context.strokeStyle = colour;
    context.lineWidth = wide;
    context.beginPath();
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
    context.stroke();
  }
}
