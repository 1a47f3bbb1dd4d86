/** The checks of broker, sign-in and offer. */
import { CallProblem, problemOf } from '../problems.js';
import { timed } from '../signalling.js';
import { whyUnreachable } from '../unreachable.js';
import { Trial } from './trial.js';

/** @import { Check, Run } from './diagnosis.js' */

/** What is said of an offer once nothing else is in its way. */
const OF_THE_OFFER = /^(answer_invalid|broken_body|invalid_offer|missing_offer|offer_\w+|unsupported_content_type)$/;

/** @type {Check} */
export const reachBroker = async (run) => {
  const url = new URL('health', new URL(run.options.connectUrl, run.page.origin)).href;
  const response = await ask(run, url);
  if (response.status === 503) throw await problemOf(response);
  const body = await response.json().catch(() => null);
  return body?.status === 'ok' ? { outcome: 'passed' } : { outcome: 'failed', text: 'no_broker', values: { url } };
};

/** Asks whether this caller may start calls, which starts none. @type {Check} */
export const signIn = async (run) => {
  const headers = await (async () => run.options.headers())().catch((error) => {
    throw new CallProblem('sign_in_required', { detail: String(error) });
  });
  const response = await ask(run, run.options.connectUrl, headers);
  if (!response.ok) throw await problemOf(response);
  return { outcome: 'passed' };
};

/**
 * The page's key, in mode `token`; else the broker's, of which a page sees only that offers get past it.
 * @type {Check}
 */
export const key = async (run) => {
  run.trial = new Trial(run);
  await run.trial.prepare();
  if (run.options.mode === 'token') return { outcome: 'passed' };
  run.offered = run.trial.offer();
  await run.offered.catch((error) => {
    if (!OF_THE_OFFER.test(error.code)) throw error;
  });
  return { outcome: 'passed' };
};

/** @type {Check} */
export const offer = async (run) => {
  await (run.offered ?? run.trial?.offer());
  return { outcome: 'passed' };
};

/** @param {Run} run @param {string} url @param {Record<string, string>} [headers] */
function ask({ options, page, signal }, url, headers = {}) {
  const { clock, fetch } = options.environment;
  return timed(clock, options.timeouts.request, signal, (signal) =>
    fetch(url, { headers, signal, redirect: 'manual', cache: 'no-store' }).catch(async (error) => {
      if (error instanceof CallProblem) throw error;
      throw new CallProblem(await whyUnreachable(fetch, url, page.origin, signal), { detail: page.origin });
    }),
  );
}
