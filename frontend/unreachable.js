/**
 * Why a request to a broker of another origin got no response.
 *
 * Browsers show a page the same error for a dead network, a refused origin, and a sign-in in front of the
 * broker. They differ in what else gets through, which is asked with requests that start nothing and carry
 * no credentials. What a refused page learns is what any page can: that something answers at that address.
 */

/**
 * @param {typeof globalThis.fetch} fetch
 * @param {string} url  Of the request that failed: one of the broker's, such as `…/api/connect`.
 * @param {string} origin  The page's.
 * @param {AbortSignal | null} [signal]
 * @returns {Promise<'network_unreachable' | 'origin_not_allowed' | 'sign_in_cross_origin'>}
 */
export async function whyUnreachable(fetch, url, origin, signal = null) {
  const target = parse(url, origin);
  if (!target || target.origin === origin) return 'network_unreachable';
  const [route, health] = [new URL('connect', target), new URL('health', target)];
  /** @param {URL} there @param {RequestMode} mode */
  const answers = (there, mode) =>
    fetch(there.href, { mode, signal, credentials: 'omit', cache: 'no-store' }).then(
      () => true,
      () => false,
    );
  // The broker lets a listed page read its answer, whatever that is. What stands in front of it
  // (Static Web Apps, for one) refuses whoever is not signed in to it, and no page may read that; but it
  // passes on /api/health.
  if (await answers(route, 'cors')) return 'network_unreachable';
  if (await answers(health, 'cors')) return 'sign_in_cross_origin';
  return (await answers(health, 'no-cors')) ? 'origin_not_allowed' : 'network_unreachable';
}

/** @param {string} url @param {string} base */
function parse(url, base) {
  try {
    return new URL(url, base);
  } catch {
    return null;
  }
}
