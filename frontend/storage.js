/** What this browser keeps for the page. It may refuse to: then nothing is kept, and nothing is found. */

/** @typedef {import('./types.js').Environment['storage']} Store */

/** A browser may refuse even to name it. @returns {Store} */
export function localStore() {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined;
  }
}

/** @param {string} key @param {Store} [store] @returns {string} Empty for nothing. */
export function recall(key, store = localStore()) {
  try {
    return store?.getItem(key) ?? '';
  } catch {
    return '';
  }
}

/** @param {string} key @param {string} value  Empty to forget it. @param {Store} [store] */
export function remember(key, value, store = localStore()) {
  try {
    if (value) store?.setItem(key, value);
    else store?.removeItem(key);
  } catch {
    // Full, or forbidden: it holds until the page is left.
  }
}
