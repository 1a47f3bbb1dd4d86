/** What every view is given, and what each is; the words of a problem. */
import { explain } from '../problems.js';
import { h } from './dom.js';

/**
 * @typedef {object} Desk
 * @property {import('../translation.js').Translation} words
 * @property {(task: (signal: AbortSignal) => Promise<boolean | void>, every: number) => import('./poller.js').Poller} poll
 *   Repeats a task, and says in the page's header whether it succeeds.
 */

/** @typedef {{element: HTMLElement, show?: (route: import('./route.js').Route) => void, close?: () => void}} View */

/** The reader runs the broker. @param {Desk} desk @param {any} problem @returns {HTMLElement} */
export function problemText({ words }, problem) {
  const { title, advice, operator, reference, signIn } = explain(problem, words);
  const back = encodeURIComponent(location.pathname + location.hash);
  return h(
    'div.problem',
    { 'data-code': problem.code },
    h('strong', {}, title),
    h('p', {}, operator || advice),
    reference && h('p', {}, reference),
    signIn && h('a.button', { href: `/.auth/login/aad?post_login_redirect_uri=${back}` }, words.t('sign_in')),
  );
}

/** It takes the focus when its view is opened. @param {string} text @param {...any} beside */
export function heading(text, ...beside) {
  return h('div.heading', {}, h('h1', { tabindex: -1 }, text), ...beside);
}
