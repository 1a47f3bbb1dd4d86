/** Every event of the call, filterable and copyable. What is secret was masked when it was logged. */
import { arrange, h, icon, put } from './dom.js';

/** @import {Translation} from '../translation.js' */
/** @import {Log, LogEntry} from '../types.js' */

/** More are kept, and copied; a longer list would cost frames. */
const SHOWN = 250;

const SIGNS = Object.freeze({ server: '←', client: '→', call: '·' });

export class EventDrawer {
  #words;
  #log;
  #list = h('ol');
  #none;
  #copy;

  /** @type {Map<number, HTMLElement>} */
  #drawn = new Map();

  #waiting = false;

  /** @param {Translation} words @param {() => Log | null} log */
  constructor(words, log) {
    const { t } = words;
    this.#words = words;
    this.#log = log;
    /** @type {HTMLInputElement} */
    this.filter = h('input', { type: 'search', id: 'event-filter', placeholder: t('filter'), ariaLabel: t('filter'), oninput: () => this.#show() });
    this.#copy = h('button', { id: 'event-copy', className: 'button', type: 'button', onclick: () => void this.#copyAll() }, t('copy'));
    this.#none = h('p', { className: 'small' }, t('no_events'));
    const close = h('button', { className: 'plain', type: 'button', ariaLabel: t('dismiss'), onclick: () => this.element.hidePopover() }, icon('close'));
    /** @type {HTMLElement} */
    this.element = h(
      'div',
      { id: 'event-drawer', className: 'drawer', popover: 'manual', role: 'dialog', ariaLabel: t('events') },
      h('header', {}, h('h3', {}, t('events')), close),
      h('p', { className: 'row' }, this.filter, this.#copy),
      h('div', { className: 'scrolls', tabIndex: 0, role: 'region', ariaLabel: t('events') }, this.#none, this.#list),
    );
    this.element.addEventListener('toggle', () => this.#show());
    /** @type {HTMLButtonElement} */
    this.button = h('button', { id: 'events', className: 'button tool', type: 'button', ariaLabel: t('events'), title: t('events') }, icon('events'));
    this.button.popoverTargetElement = this.element;
    for (const place of [this.element, this.button]) {
      place.addEventListener('keydown', ({ key }) => {
        if (key !== 'Escape' || !this.#open) return;
        this.element.hidePopover();
        this.button.focus();
      });
    }
  }

  /** Something was logged: shown with the next frame, if the drawer is open. */
  changed() {
    if (this.#waiting || !this.#open) return;
    this.#waiting = true;
    requestAnimationFrame(() => {
      this.#waiting = false;
      this.#show();
    });
  }

  get #open() {
    return this.element.matches(':popover-open');
  }

  #found() {
    const wanted = this.filter.value.trim().toLowerCase();
    const entries = this.#log()?.entries ?? [];
    if (!wanted) return entries;
    return entries.filter(({ type, detail }) => `${type} ${JSON.stringify(detail ?? '')}`.toLowerCase().includes(wanted));
  }

  #show() {
    if (!this.#open) return;
    const entries = this.#found().slice(-SHOWN).reverse();
    const items = entries.map((entry) => this.#drawn.get(entry.id) ?? this.#draw(entry));
    this.#drawn = new Map(entries.map(({ id }, at) => [id, items[at]]));
    arrange(this.#list, items);
    this.#none.hidden = items.length > 0;
    put(this.#copy, this.#words.t('copy'));
  }

  /** @param {LogEntry} entry @returns {HTMLElement} */
  #draw({ at, from, type, detail }) {
    const time = this.#words.dateTime(at, { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, hourCycle: 'h23' });
    const summary = h('summary', {}, h('span', { className: 'sign' }, SIGNS[from]), h('bdi', {}, ...type.split(/(?<=[._])/).flatMap((part) => [part, h('wbr')])), h('time', {}, time));
    const more = h('details', {}, summary);
    more.addEventListener('toggle', () => {
      if (more.childElementCount === 1) more.append(h('pre', { dir: 'ltr' }, JSON.stringify(detail, null, 2) ?? ''));
    });
    return h('li', { 'data-from': from }, more);
  }

  async #copyAll() {
    let done = 'copied';
    try {
      await navigator.clipboard.writeText(this.#log()?.text(this.#found()) ?? '');
    } catch {
      // Refused, or a page without a clipboard.
      done = 'not_copied';
    }
    put(this.#copy, this.#words.t(done));
  }
}
