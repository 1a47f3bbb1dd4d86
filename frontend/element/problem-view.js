/** A problem in words: what happened, what to do, and, folded away, what its operator needs to know. */
import { explain } from '../problems.js';
import { h, icon, put } from './dom.js';

/** @import {Translation} from '../translation.js' */
/** @typedef {Parameters<typeof explain>[0]} Problem */

export class ProblemView {
  #title = h('h3', { id: 'problem-title' });
  #advice = h('p', { id: 'problem-advice' });
  #signIn;
  #unlock;
  #operator = h('p', { className: 'small' });
  #reference = h('p', { id: 'problem-reference', className: 'small' });
  #more;
  #words;

  /** @type {[Problem, string] | null} */
  shown = null;

  /** @param {Translation} words @param {() => void} unlockSound  Called in the click. */
  constructor(words, unlockSound) {
    const { t } = words;
    this.#words = words;
    this.#signIn = h('a', { id: 'sign-in', className: 'button', hidden: true }, t('sign_in'));
    const unlock = () => {
      this.hide();
      unlockSound();
    };
    this.#unlock = h('button', { id: 'unlock-sound', className: 'button', type: 'button', hidden: true, onclick: unlock }, t('unlock_sound'));
    this.#more = h('details', {}, h('summary', {}, t('for_operator')), this.#operator, this.#reference);
    const close = h('button', { className: 'plain', type: 'button', ariaLabel: t('dismiss'), onclick: () => this.hide() }, icon('close'));
    const body = h('div', { className: 'body' }, this.#title, this.#advice, h('p', { className: 'actions' }, this.#signIn, this.#unlock), this.#more);
    /** @type {HTMLElement} */
    this.element = h('section', { id: 'problem', role: 'alert', part: 'problem', hidden: true }, h('span', { className: 'sign', ariaHidden: 'true' }, '!'), body, close);
  }

  /** @param {Problem} problem @param {string} signInUrl  Empty where the page cannot lead there. */
  show(problem, signInUrl) {
    this.shown = [problem, signInUrl];
    const { title, advice, operator, reference, signIn } = explain(problem, this.#words);
    put(this.#title, title);
    put(this.#advice, advice);
    put(this.#operator, operator);
    put(this.#reference, reference && this.#words.t('reference', { id: reference }));
    this.#more.hidden = !operator && !reference;
    this.#signIn.hidden = !signIn || !signInUrl;
    this.#signIn.href = signInUrl;
    this.#unlock.hidden = problem.code !== 'audio_blocked';
    this.element.dataset.code = problem.code;
    this.element.hidden = false;
  }

  /** It is over, if it is one of these. @param {...string} codes */
  settle(...codes) {
    if (codes.includes(this.element.dataset.code ?? '')) this.hide();
  }

  hide() {
    this.shown = null;
    this.element.hidden = true;
  }
}
