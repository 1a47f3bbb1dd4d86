/** Text beside the voice, and images where the model takes them. */
import { h, icon } from './dom.js';

/** @import {Translation} from '../translation.js' */
/** @import {WriteActions} from '../types.js' */

export class Composer {
  #field;
  #note;
  #image;
  #listener;

  /** @param {Translation} words @param {WriteActions} listener */
  constructor({ t }, listener) {
    this.#listener = listener;
    this.#note = h('p', { id: 'text-note', className: 'small' }, t('text_note'));
    this.#field = h('input', { id: 'text-field', type: 'text', maxLength: 2000, autocomplete: 'off', placeholder: t('text_hint'), ariaLabel: t('text'), dir: 'auto' });
    const file = h('input', { type: 'file', accept: 'image/png,image/jpeg,image/webp', hidden: true, tabIndex: -1, onchange: () => this.#read(file) });
    this.#image = h('button', { id: 'image', className: 'round', type: 'button', ariaLabel: t('image'), title: t('image'), hidden: true, onclick: () => file.click() }, icon('image'));
    const send = h('button', { className: 'round', type: 'submit', ariaLabel: t('send'), title: t('send') }, icon('send'));
    /** @type {HTMLFormElement} */
    this.element = h('form', { id: 'text', part: 'text', hidden: true, onsubmit: (/** @type {Event} */ event) => this.#submit(event) }, this.#field, file, this.#image, send, this.#note);
  }

  /** @param {{text: boolean, images: boolean, note: boolean}} what  Is taken, and needs an explanation. */
  show({ text, images, note }) {
    this.element.hidden = !text;
    this.#image.hidden = !images;
    this.#note.hidden = !note;
    if (note) this.#field.setAttribute('aria-describedby', 'text-note');
    else this.#field.removeAttribute('aria-describedby');
  }

  /** Not sent yet. */
  get words() {
    return this.#field.value;
  }

  set words(words) {
    this.#field.value = words;
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault();
    const text = this.#takeText();
    if (text) this.#listener.text(text);
  }

  #takeText() {
    const text = this.#field.value.trim();
    this.#field.value = '';
    return text;
  }

  /** @param {HTMLInputElement} file */
  #read(file) {
    const [chosen] = file.files ?? [];
    if (chosen) this.#listener.image(chosen, this.#takeText());
    file.value = '';
  }
}
