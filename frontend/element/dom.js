/**
 * Builds elements without markup in strings, so that a page that demands trusted types is served too.
 */

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * @param {string} tag
 * @param {Record<string, any>} [given]  Properties where the element has them, otherwise attributes.
 * @param {...Child} children
 * @returns {any}
 */
export function h(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (name in made && !['part', 'list', 'role'].includes(name)) /** @type {any} */ (made)[name] = value;
    else made.setAttribute(name, value === true ? '' : value);
  }
  made.append(.../** @type {(Node | string)[]} */ (children.filter((child) => child || child === '')));
  return made;
}

export const SVG = 'http://www.w3.org/2000/svg';

/** Each is drawn with a line on a field of 24. @type {Readonly<Record<string, string>>} */
const ICONS = Object.freeze({
  microphone: 'M12 3.5a2.5 2.5 0 0 1 2.5 2.5v5a2.5 2.5 0 0 1-5 0V6A2.5 2.5 0 0 1 12 3.5ZM6 11a6 6 0 0 0 12 0M12 17v3.5',
  stop: 'M7 7h10v10H7Z',
  hand: 'M5 12h14M12 5v14',
  cut: 'M9 6v12M15 6v12',
  sound: 'M4 8h9M17 8h3M15 5.5v5M4 16h3M11 16h9M9 13.5v5',
  events: 'M4 6.5h16M4 12h16M4 17.5h10',
  image: 'M4 5h16v14H4ZM4 16l4.5-4.5 4 4 3-3L20 16.5M15.5 9h.01',
  send: 'M4 12h15M13 6l6 6-6 6',
  close: 'M6 6l12 12M18 6 6 18',
});

/** @param {keyof typeof ICONS} name */
export function icon(name) {
  const drawn = document.createElementNS(SVG, 'svg');
  drawn.setAttribute('viewBox', '0 0 24 24');
  drawn.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name]);
  drawn.append(path);
  return drawn;
}

/** Has a list show these and no others; what stays is not moved. @param {Element} list @param {readonly Element[]} items */
export function arrange(list, items) {
  for (const item of [...list.children]) if (!items.includes(item)) item.remove();
  items.forEach((item, place) => {
    const there = list.children[place];
    if (there !== item) list.insertBefore(item, there ?? null);
  });
}

/** What is put again would be read out again. @param {HTMLElement} element @param {string} text */
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
