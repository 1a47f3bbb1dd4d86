/** What the broker depends on, tried on request: what fails, and what to do about it. */
import { tryHealth } from './api.js';
import { heading, problemText } from './desk.js';
import { h, marked, put } from './dom.js';

/** @param {import('./desk.js').Desk} desk @returns {import('./desk.js').View} */
export function healthView(desk) {
  const { t } = desk.words;
  const status = h('p.status', { role: 'status' });
  const again = h('button.button', { type: 'button', onclick: () => void look() }, t('check_again'));
  const list = h('ul.checks');

  async function look() {
    again.disabled = true;
    put(status, t('checking'));
    try {
      const { status: found, checks, warnings = [] } = await tryHealth();
      put(status, t(`health_${found}`));
      status.dataset.status = found;
      const warned = warnings.map((/** @type {string} */ hint) => ({ name: '', status: 'warning', hint }));
      list.replaceChildren(...[...checks, ...warned].map(drawn));
    } catch (problem) {
      put(status, '');
      list.replaceChildren(h('li', {}, problemText(desk, problem)));
    }
    again.disabled = false;
  }

  /** @param {Record<string, string>} check */
  function drawn({ name, endpoint, status: found, code, detail, hint }) {
    return h(
      'li',
      { 'data-status': found },
      h('strong', {}, name.replaceAll('_', ' '), endpoint && `: ${endpoint}`),
      h('span.result', {}, t(`result_${found}`)),
      detail && h('p', {}, `${detail} `, h('code', {}, code)),
      hint && h('p', {}, ...marked(hint)),
    );
  }

  void look();
  return { element: h('section.report', {}, heading(t('health'), status, again), list) };
}
