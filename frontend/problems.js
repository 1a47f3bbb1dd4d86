/**
 * What can go wrong with a call, and what a person can do about it.
 *
 * The broker sends every error as problem+json with a stable `code`; the browser's own failures get
 * codes here. `explain` turns either into text for who calls, and for who runs it; the request's id joins
 * the two. A code without text of its own says that the call failed, so the page also works with a newer
 * broker.
 */
import english from './languages/en/problems.js';
import { translate } from './translation.js';

/** @import {Explanation, Translation} from './types.js' */

/** A failure of a call, with a stable code. */
export class CallProblem extends Error {
  /**
   * @param {string} code
   * @param {{detail?: string, hint?: string, status?: number, requestId?: string, retryAfter?: number}} [more]
   *   `retryAfter` in seconds.
   */
  constructor(code, more = {}) {
    super(more.detail || code);
    this.name = 'CallProblem';
    this.code = code;
    this.detail = more.detail ?? '';
    this.hint = more.hint ?? '';
    this.status = more.status ?? 0;
    this.requestId = more.requestId ?? '';
    this.retryAfter = more.retryAfter ?? 0;
  }
}

/**
 * Codes that mean the same to who calls, by the name of their text. They differ to who runs the page, who
 * reads the broker's own detail and hint.
 */
const FAMILIES = Object.freeze({
  sign_in_required: 'invalid_credentials',
  forbidden: 'profile_not_allowed role_required',
  busy: 'all_lines_busy live_sessions_busy live_sessions_full ledger_busy instance_busy instance_stopping ' +
    'upstream_quota',
  today: 'tokens_used_up seconds_used_up',
  through_broker: 'token_endpoint_off live_without_keys model_refused model_unreachable',
  unavailable:
    'storage_unavailable sign_in_keys_unavailable vault_unavailable credential_unavailable observer_unavailable ' +
    'upstream_unreachable upstream_timeout upstream_failed ephemeral_key_refused internal_error broker_failed',
  out_of_order:
    'misconfigured vault_secret_unavailable upstream_access_denied upstream_forbidden upstream_network_rules ' +
    'upstream_wrong_tenant upstream_wrong_scope custom_subdomain_missing key_auth_disabled endpoint_not_found ' +
    'gateway_key_refused gateway_replaces_key upstream_country upstream_credit_exhausted ' +
    'upstream_account_blocked organization_unverified model_retired sideband_not_served upstream_region ' +
    'deployment_not_found not_a_realtime_model profile_refused live_not_served live_model_not_found ' +
    'not_a_live_model delegation_model_not_found data_channel_refused instructions_too_long',
  wrong_page:
    'answer_invalid missing_offer invalid_offer offer_without_audio offer_without_data_channel offer_refused ' +
    'broken_body offer_too_large unsupported_content_type method_not_allowed unknown_profile invalid_call_id ' +
    'registration_refused invalid_query already_continued',
});

/** @type {ReadonlyMap<string, string>} */
const NAMES = new Map(
  Object.entries(FAMILIES).flatMap(([name, codes]) => codes.split(' ').map((code) => [code, name])),
);

const IN_ENGLISH = translate('en', english);

/** Whoever is told of these finds out more by the request's id. */
const REFERRED = ['call_failed', 'out_of_order', 'wrong_page'];

/** A wait of more seconds than this is not told in seconds. */
const LONGEST_WAIT = 120;

/**
 * A problem in words.
 * @param {{code: string, detail?: string, hint?: string, status?: number, requestId?: string, retryAfter?: number}} problem
 * @param {Pick<Translation, 't' | 'has'>} [words]
 *   A translation with the part `problems`; English without.
 * @returns {Explanation}
 */
export function explain(problem, { t, has } = IN_ENGLISH) {
  const { code, detail = '', hint = '', retryAfter = 0, requestId: reference = '' } = problem;
  const known = NAMES.get(code) ?? code;
  const name = has(`${known}_advice`) ? known : 'call_failed';
  const soon = ['busy', 'too_many_starts', 'unavailable'].includes(name) && retryAfter > 0;
  const advice = soon && retryAfter <= LONGEST_WAIT ? t('retry', { count: retryAfter }) : t(`${name}_advice`);
  return {
    title: t(name),
    advice: reference && REFERRED.includes(name) ? t('with_reference', { advice }) : advice,
    operator: [has(`${name}_operator`) ? t(`${name}_operator`) : '', sentence(detail), typeof hint === 'string' && hint].filter(Boolean).join(' '),
    reference,
    signIn: name === 'sign_in_required' || problem.status === 401,
  };
}

/** The name of a browser's error, alone, helps nobody, and a server may send anything. @param {unknown} detail */
function sentence(detail) {
  return typeof detail === 'string' && detail.includes(' ') ? detail : '';
}

/** Every code that has text here. */
export const EXPLAINED_CODES = Object.freeze([
  ...NAMES.keys(),
  ...Object.keys(english).filter((key) => Object.hasOwn(english, `${key}_advice`)),
]);

/**
 * The problem that an error response of the broker stands for. Static Web Apps redirects a caller who
 * is not signed in to its login; with `redirect: 'manual'` that appears as an opaque response.
 * @param {Response} response
 * @returns {Promise<CallProblem>}
 */
export async function problemOf(response) {
  if (response.type === 'opaqueredirect') return new CallProblem('sign_in_required');
  const body = await response.json().catch(() => null);
  if (typeof body?.code !== 'string') {
    const code = response.status === 401 ? 'sign_in_required' : 'broker_failed';
    return new CallProblem(code, {
      status: response.status,
      detail: `The server answered ${response.status}.`,
    });
  }
  return new CallProblem(body.code, {
    detail: body.detail || body.title,
    hint: body.hint,
    status: response.status,
    requestId: body.request_id,
    retryAfter: Number(response.headers.get('retry-after')) || 0,
  });
}
