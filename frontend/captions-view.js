/**
 * Draws a transcript into a list. A line that does not change keeps its element, so that it can be
 * selected and read while others grow.
 */

/** @typedef {import('./events.js').CaptionLine} CaptionLine */

export class CaptionsView {
  #log;

  /** @type {HTMLElement} */
  #list;

  /** The lines that are drawn, and their elements, by id. @type {Map<string, {line: CaptionLine, item: HTMLElement}>} */
  #drawn = new Map();

  /** Whether the last line is in view, and to be kept there. */
  #following = true;

  /** @param {HTMLElement} log  Scrolls; its `ol` takes the lines. */
  constructor(log) {
    this.#log = log;
    this.#list = /** @type {HTMLElement} */ (log.querySelector('ol'));
    log.addEventListener('scroll', () => {
      this.#following = log.scrollHeight - log.scrollTop - log.clientHeight < 48;
    });
    // A turned phone, or a problem above, leaves less room.
    new ResizeObserver(() => this.#follow()).observe(log);
  }

  /** @param {readonly CaptionLine[]} lines */
  show(lines) {
    this.#log.hidden = lines.length === 0;
    if (lines.length === 0) this.#following = true;
    const drawn = new Map(lines.map((line) => [line.id, this.#draw(line)]));
    const items = [...drawn.values()].map(({ item }) => item);
    for (const { item } of this.#drawn.values()) if (!items.includes(item)) item.remove();
    items.forEach((item, place) => {
      const there = this.#list.children[place];
      if (there !== item) this.#list.insertBefore(item, there ?? null);
    });
    this.#drawn = drawn;
    this.#follow();
  }

  #follow() {
    if (this.#following) this.#log.scrollTop = this.#log.scrollHeight;
  }

  /** @param {CaptionLine} line */
  #draw(line) {
    const known = this.#drawn.get(line.id);
    if (known && same(known.line, line)) return known;
    const item = known?.item ?? document.createElement('li');
    item.dataset.who = line.who;
    item.dataset.final = String(line.final);
    item.toggleAttribute('data-interrupted', line.interrupted);
    const parts = [
      element('span', 'who', line.who === 'user' ? 'You' : 'Assistant'),
      element('span', line.text ? 'words' : 'words pending', line.text || '…'),
    ];
    if (line.interrupted) parts.push(element('span', 'note', 'Interrupted'));
    item.replaceChildren(...parts);
    return { line, item };
  }
}

/** @param {CaptionLine} one @param {CaptionLine} other */
function same(one, other) {
  return (
    one.who === other.who &&
    one.text === other.text &&
    one.final === other.final &&
    one.interrupted === other.interrupted
  );
}

/** @param {string} tag @param {string} className @param {string} text */
function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}
