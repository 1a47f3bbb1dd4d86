/** The search of past calls: its text finds callers, profiles, models, ends and codes. */
import { h } from './dom.js';

/** @param {import('../translation.js').Translation} words @param {(query: Record<string, string>) => void} search */
export function searchForm({ t }, search) {
  const field = (/** @type {string} */ name, /** @type {string} */ type) =>
    h('label', {}, t(name), h('input', { name, type, maxlength: 100 }));
  const options = ['', 'live', 'ended'].map((value) => h('option', { value }, t(`status_${value || 'any'}`)));
  const onsubmit = (/** @type {any} */ event) => {
    event.preventDefault();
    const entries = [...new FormData(event.target)].map(([name, value]) => [name, String(value).trim()]);
    search(Object.fromEntries(entries));
  };
  return h(
    'form.search',
    { role: 'search', onsubmit },
    field('q', 'search'),
    h('label', {}, t('status'), h('select', { name: 'status' }, ...options)),
    field('from', 'date'),
    field('to', 'date'),
    h('button.button', {}, t('search')),
  );
}

/** @param {HTMLFormElement} form @param {Record<string, string>} query */
export function fillSearch(form, query) {
  for (const field of /** @type {any} */ (form.elements)) {
    if (field.name && field !== document.activeElement) field.value = query[field.name] ?? '';
  }
}
