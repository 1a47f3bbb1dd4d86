/** Elements in one expression. Text is never parsed as HTML. */

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Record<string, unknown>} Attributes  A function is a listener (`onclick`), `true` an empty attribute, false none. */

/** @param {Element} made @param {Attributes} attributes @param {Child[]} children @returns {any} */
function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(name.slice(2), /** @type {any} */ (value));
    else if (value !== false && value !== undefined) made.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children) if (child || child === 0) made.append(/** @type {string} */ (child));
  return made;
}

/** @param {string} tag  With classes: `p.quiet`. @param {Attributes} [attributes] @param {...Child} children */
export function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  const made = document.createElement(name);
  if (classes.length) made.className = classes.join(' ');
  return filled(made, attributes, children);
}

/** The same of a drawing. @param {string} tag @param {Attributes} attributes @param {...Child} children */
export function svg(tag, attributes, ...children) {
  return filled(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

/** A text with `code` in it. @param {string} [text] @returns {Child[]} */
export function marked(text = '') {
  return text.split('`').map((part, place) => (place % 2 ? h('code', {}, part) : part));
}

/** What is put again would be read out again. @param {Element} at @param {string} text */
export function put(at, text) {
  if (at.textContent !== text) at.textContent = text;
}

/**
 * Shows a list so that what stays keeps its element, and with it the focus and what is selected.
 * @template T
 * @param {Element} parent @param {readonly T[]} items @param {(item: T, place: number) => string} key
 * @param {(item: T, known?: HTMLElement) => HTMLElement} draw  Fills the element of that key, or makes one.
 */
export function keyed(parent, items, key, draw) {
  const known = new Map([.../** @type {any} */ (parent.children)].map((one) => [one.dataset.key, one]));
  items.forEach((item, place) => {
    const name = key(item, place);
    const made = draw(item, known.get(name));
    made.dataset.key = name;
    known.delete(name);
    if (parent.children[place] !== made) parent.insertBefore(made, parent.children[place] ?? null);
  });
  for (const gone of known.values()) gone.remove();
}
