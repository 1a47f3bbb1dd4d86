/** Where the desk is, as the part of its address after `#/`: `calls/{id}?q=…`. */

/** @typedef {{view: string, id: string, query: Record<string, string>}} Route  `id` of the call that is open, or ''. */

export const VIEWS = Object.freeze(['live', 'calls', 'latency', 'usage', 'failures', 'endpoints', 'health']);

/** @param {string} hash @returns {Route} */
export function readRoute(hash) {
  const [path, search = ''] = hash.replace(/^#?\/?/, '').split('?', 2);
  const [view, id = ''] = path.split('/');
  if (!VIEWS.includes(view)) return { view: VIEWS[0], id: '', query: {} };
  return { view, id: /^[\w-]*$/.test(id) ? id : '', query: Object.fromEntries(new URLSearchParams(search)) };
}

/** @param {string} view @param {string} [id] @param {Record<string, string>} [query] */
export function writeRoute(view, id, query = {}) {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value));
  return `#/${view}${id ? `/${id}` : ''}${search.size ? `?${search}` : ''}`;
}
