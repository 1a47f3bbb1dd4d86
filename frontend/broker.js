/**
 * Where the broker is: at the address that the page names; else at the origin that serves this module, if
 * that is a broker's site; else at the page's own origin.
 */

/** Where a broker's site has this module. Bundles and copies in packages are elsewhere. */
const PLACE = '/broker.js';

/**
 * The origin of the broker whose site serves this module to a page of another one; otherwise empty.
 * @param {string | undefined} [module]  The module's own URL, of which bundlers may leave nothing.
 * @param {string | undefined} [page]  The page's origin.
 */
export function servingOrigin(module = import.meta.url, page = globalThis.location?.origin) {
  const url = /^http/.test(module ?? '') ? new URL(/** @type {string} */ (module)) : null;
  return url?.pathname === PLACE && url.origin !== page ? url.origin : '';
}

/**
 * The URL of one of the broker's routes.
 * @param {string | undefined} broker  Its address, with the path that an ingress puts in front of `/api`, if any; or
 *   with `/api` and what its routes begin with, where the broker is a guest in another function app.
 * @param {string} route  Such as `connect`.
 */
export function brokerUrl(broker, route) {
  const address = (broker || servingOrigin()).replace(/\/+$/, '');
  const path = address.replace(/^[a-z]+:\/\/[^/]*/i, '');
  return `${address}${/\/api(\/|$)/.test(path) ? '' : '/api'}/${route}`;
}
