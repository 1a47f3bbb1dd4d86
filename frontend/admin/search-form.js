/** The search of past calls. */
import { h } from './dom.js';

const STATUSES = ['', 'live', 'ended'];
const FIELDS = { from: 'date', to: 'date', profile: 'text', model: 'text', caller: 'text', ended_by: 'text' };

/** @param {import('../translation.js').Translation} words @param {(query: Record<string, string>) => void} search */
export function searchForm({ t }, search) {
  const field = (/** @type {string} */ name, /** @type {string} */ type) =>
    h('label', {}, t(name), h('input', { name, type, maxlength: 100 }));
  const options = STATUSES.map((value) => h('option', { value }, t(`status_${value || 'any'}`)));
  const fields = Object.entries(FIELDS).map(([name, type]) => field(name, type));
  return h(
    'form.search',
    {
      role: 'search',
      onsubmit: (/** @type {any} */ event) => {
        event.preventDefault();
        const entries = [...new FormData(event.target)].map(([name, value]) => [name, String(value).trim()]);
        search(Object.fromEntries(entries));
      },
    },
    field('q', 'search'),
    h('button.button', {}, t('search')),
    h(
      'details',
      {},
      h('summary', {}, t('criteria')),
      h('div.fields', {}, h('label', {}, t('status'), h('select', { name: 'status' }, ...options)), ...fields),
    ),
  );
}

/** @param {HTMLFormElement} form @param {Record<string, string>} query */
export function fillSearch(form, query) {
  for (const field of /** @type {Iterable<any>} */ (form.elements)) {
    if (field.name && field !== document.activeElement) field.value = query[field.name] ?? '';
  }
}
