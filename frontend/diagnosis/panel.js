/**
 * `<call-diagnosis>`: a button that runs the checks, what they found, what to do, and a report to copy.
 * Attributes: `broker`, `profile`, `mode`, `language`; property `options` for the rest of a call's options.
 */
import { translation } from '../translation.js';
import { CHECK_NAMES, diagnose } from './diagnosis.js';
import { sheet } from './panel-style.js';
import { inWords, report } from './report.js';

/** @import {Result} from './diagnosis.js' */
/** @import {CallOptions} from '../types.js' */

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {string} [text] @param {() => void} [onclick]
 */
function make(tag, text = '', onclick) {
  const element = document.createElement(tag);
  element.textContent = text;
  if (onclick) element.addEventListener('click', onclick);
  return element;
}

export class CallDiagnosisElement extends HTMLElement {
  static observedAttributes = ['language'];

  /** @type {CallOptions} */
  options = {};

  /** @type {Result[]} */
  results = [];

  #buttons = {
    run: make('button', '', () => void this.run()),
    stop: make('button', '', () => this.stop()),
    copy: make('button', '', () => void this.copy()),
  };
  #intro = make('p');
  #status = make('p');
  #list = make('ol');
  #report = make('pre');
  #words = translation(null, []);

  /** @type {AbortController | null} */
  #running = null;

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [sheet];
    this.#status.role = 'status';
    root.append(this.#intro, ...Object.values(this.#buttons), this.#status, this.#list, this.#report);
  }

  connectedCallback() {
    this.#words = translation(this.getAttribute('language'), ['diagnosis', 'problems']);
    void this.#show();
  }

  attributeChangedCallback() {
    if (this.isConnected) this.connectedCallback();
  }

  disconnectedCallback() {
    this.stop();
  }

  /** Call it inside a click handler: some checks play a sound. */
  async run() {
    if (this.#running) return;
    const { signal } = (this.#running = new AbortController());
    this.results = [];
    this.#report.textContent = '';
    this.#list.replaceChildren(...CHECK_NAMES.map(() => make('li')));
    void this.#show();
    this.results = await diagnose(this.#callOptions(), {
      signal,
      checking: (check) => void this.#show(check),
      found: (result) => this.results.push(result),
    });
    this.#running = null;
    await this.#show();
    this.dispatchEvent(new CustomEvent('diagnosis', { detail: this.results, bubbles: true, composed: true }));
  }

  stop() {
    this.#running?.abort();
  }

  /** Or shows the report, where the page may not copy. */
  async copy() {
    const words = await this.#words;
    const broker = this.#callOptions().broker ?? '';
    const about = [new Date().toISOString(), location.origin, broker, navigator.userAgent];
    const text = report(this.results, words, about.filter(Boolean));
    try {
      await navigator.clipboard.writeText(text);
      this.#status.textContent = words.t('copied');
    } catch {
      // Refused, or a page that is not secure and so has no clipboard.
      this.#report.textContent = text;
    }
  }

  /** @returns {CallOptions} */
  #callOptions() {
    const given = ['broker', 'profile', 'mode'].map((name) => [name, this.getAttribute(name)]);
    return { ...this.options, ...Object.fromEntries(given.filter(([, value]) => value)) };
  }

  /** Empty while not everything has been tried. @param {import('../translation.js').Translation['t']} t */
  #verdict(t) {
    if (this.results.some(({ outcome }) => outcome === 'failed')) return t('some_failed');
    return this.results.length === CHECK_NAMES.length ? t('all_well') : '';
  }

  /** @param {string} [checking] */
  async #show(checking) {
    const words = await this.#words;
    const { t } = words;
    const over = !this.#running && this.results.length > 0;
    const { run, stop, copy } = this.#buttons;
    for (const [name, button] of Object.entries(this.#buttons)) button.textContent = t(`diagnosis_${name}`);
    const focused = [run, stop].some((button) => button === this.shadowRoot?.activeElement);
    run.hidden = this.#running !== null;
    stop.hidden = !run.hidden;
    copy.hidden = !over;
    if (focused) (run.hidden ? stop : run).focus();
    this.lang = words.language;
    this.#intro.textContent = t('diagnosis_intro');
    if (!this.#running) this.#status.textContent = this.#verdict(t);
    else if (checking) this.#status.textContent = t('checking', { check: t(`check_${checking}`) });
    for (const result of this.results) {
      const { title, found, remedy, operator } = inWords(result, words);
      const item = this.#list.children[CHECK_NAMES.indexOf(result.check)];
      item.setAttribute('data-check', result.check);
      item.setAttribute('data-outcome', result.outcome);
      item.replaceChildren(make('b', title), ' ', make('span', t(`outcome_${result.outcome}`)));
      item.append(...[found, remedy].filter(Boolean).map((text) => make('p', text)));
      if (!operator) continue;
      const more = make('details');
      more.append(make('summary', t('for_operator')), make('p', operator));
      item.append(more);
    }
  }
}

if (!customElements.get('call-diagnosis')) customElements.define('call-diagnosis', CallDiagnosisElement);
