/**
 * Draws a transcript into a list. A line that does not change keeps its element, and one that grows its
 * words, so that they can be selected and read meanwhile.
 */
import { arrange, h, put } from './dom.js';

/** @import {CaptionLine} from '../types.js' */
/** @typedef {{item: HTMLElement, who: HTMLElement, words: HTMLElement, rest: HTMLElement, note: HTMLElement}} Drawn */

export class CaptionsView {
  #log;

  /** @type {HTMLElement} */
  #list;

  /** @type {Map<string, Drawn>} */
  #drawn = new Map();

  /** Whether the last line is in view, and to be kept there. */
  #following = true;

  /** Where the last line was last scrolled into view. */
  #followedTo = 0;

  /** @type {(key: string) => string} */
  #t;

  /** To be drawn. @type {readonly CaptionLine[] | null} */
  #next = null;

  /** @param {HTMLElement} log  Scrolls; its `ol` takes the lines. @param {(key: string) => string} t */
  constructor(log, t) {
    this.#log = log;
    this.#t = t;
    this.#list = /** @type {HTMLElement} */ (log.querySelector('ol'));
    log.addEventListener('scroll', () => {
      const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 48;
      // The event of our own scrolling may come when there is less room already: nobody scrolled up.
      this.#following = atEnd || (this.#following && log.scrollTop >= this.#followedTo);
    });
    // A turned phone, or a problem above, leaves less room.
    new ResizeObserver(() => this.#follow()).observe(log);
  }

  /** With the next frame: more events come than frames. @param {readonly CaptionLine[]} lines */
  show(lines) {
    if (!this.#next) requestAnimationFrame(() => this.#show(this.#next ?? []));
    this.#next = lines;
  }

  /** @param {readonly CaptionLine[]} lines */
  #show(lines) {
    this.#next = null;
    this.#log.hidden = lines.length === 0;
    if (lines.length === 0) this.#following = true;
    const drawn = new Map(lines.map((line) => [line.id, this.#draw(line)]));
    arrange(this.#list, [...drawn.values()].map(({ item }) => item));
    this.#drawn = drawn;
    this.#follow();
  }

  #follow() {
    if (!this.#following) return;
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#followedTo = this.#log.scrollTop;
  }

  /** @param {CaptionLine} line */
  #draw(line) {
    const drawn = this.#drawn.get(line.id) ?? this.#make();
    const { item, who, words, rest, note } = drawn;
    // A picture is said to be there: it is not kept.
    const text = line.image ? [this.#t('image'), line.text].filter(Boolean).join(' · ') : line.text;
    const { heard = text, unheard = '' } = line;
    item.dataset.who = line.who;
    item.dataset.final = String(line.final);
    item.toggleAttribute('data-interrupted', line.interrupted);
    put(who, this.#t(line.who === 'user' ? 'you' : 'assistant'));
    words.classList.toggle('pending', !text);
    const said = line.interrupted && unheard ? heard : text;
    say(words, said || (unheard ? '' : '…'));
    const cut = line.interrupted ? unheard.trim() : '';
    rest.hidden = !cut;
    // Struck through is not read out: it is said in words, too.
    if (cut && rest.lastChild?.textContent !== cut)
      rest.replaceChildren(h('span', { className: 'spoken' }, ` ${this.#t('unheard')} `), h('s', {}, cut));
    note.hidden = !line.interrupted;
    put(note, line.interrupted ? this.#t('interrupted') : '');
    return drawn;
  }

  /** @returns {Drawn} */
  #make() {
    const who = h('span', { className: 'who' });
    const words = h('span', { className: 'words' });
    const rest = h('span', { className: 'rest', hidden: true });
    const note = h('span', { className: 'note', hidden: true });
    const item = h('li', {}, who, h('p', { dir: 'auto' }, words, rest), note);
    return { item, who, words, rest, note };
  }
}

/** Appends what is new where the rest stays as it is. @param {HTMLElement} words @param {string} text */
function say(words, text) {
  const before = words.textContent ?? '';
  const last = words.lastChild;
  if (before === text) return;
  if (before && text.startsWith(before) && last instanceof Text) last.appendData(text.slice(before.length));
  else words.textContent = text;
}
