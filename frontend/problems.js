/**
 * What can go wrong with a call, and what a person can do about it.
 *
 * The broker answers every refusal as problem+json with a stable `code`; the browser's own failures
 * get codes here. `explain` turns either into words. A code without words here falls back to the
 * broker's own `detail` and `hint`, so a newer broker is still understood.
 */

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
 * @typedef {object} Explanation
 * @property {string} title  What happened.
 * @property {string} advice  What to do about it.
 * @property {boolean} signIn  Whether signing in is what helps.
 */

/** @type {Readonly<Record<string, readonly [title: string, advice: string]>>} */
const WORDS = Object.freeze({
  sign_in_required: ['You are not signed in.', 'Sign in, then press Start again.'],
  microphone_denied: [
    'The browser may not use the microphone.',
    'Allow the microphone for this page (the icon beside the address), then press Start again.',
  ],
  microphone_absent: ['No microphone was found.', 'Connect a microphone, then press Start again.'],
  microphone_in_use: [
    'The microphone could not be opened.',
    'Another program may be holding it. Close that program, then press Start again.',
  ],
  microphone_lost: [
    'The microphone was disconnected.',
    'You can still hear the answer. To speak again, connect a microphone, press Stop, then Start.',
  ],
  insecure_page: [
    'This page cannot use a microphone.',
    'Browsers allow it only on https pages and on localhost. Open the page there.',
  ],
  browser_unsupported: [
    'This browser cannot hold a voice call.',
    'Use a current Chrome, Edge, Firefox or Safari.',
  ],
  media_blocked: [
    'The call was accepted, but no sound got through.',
    'A firewall or VPN is the usual cause: voice needs port 3478, UDP or TCP, to the model’s region. ' +
      'Try another network, or show docs/firewall.md to whoever runs this one.',
  ],
  connection_lost: ['The connection was lost.', 'Check the network, then press Start again.'],
  network_unreachable: [
    'The server could not be reached.',
    'Check the network connection, then press Start again.',
  ],
  request_timeout: ['The server took too long to answer.', 'Wait a moment, then press Start again.'],
  answer_invalid: [
    'The server’s answer was not one that a call can be made of.',
    'Press Start again. If it stays, the page and the broker may be of different versions.',
  ],
  model_unreachable: [
    'The model’s endpoint could not be reached from this page.',
    'Choose “Through the broker” under Settings. If it must be direct, the endpoint has to be in the ' +
      'page’s content security policy (connect-src).',
  ],
  key_refused: [
    'The model’s endpoint refused the key.',
    'Keys live for a short time. Press Start again for a new one.',
  ],
  token_endpoint_off: [
    'This broker hands out no keys.',
    'Choose “Through the broker” under Settings, then press Start again.',
  ],
  model_refused: [
    'The model’s endpoint refused the call.',
    'Press Start again, or choose “Through the broker” under Settings.',
  ],
  too_many_starts: ['That was one call too many for this minute.', 'Wait a little, then press Start again.'],
  too_many_live_calls: [
    'You have as many calls as you may have at once.',
    'End another one, in another tab or on another device, then press Start again.',
  ],
  all_lines_busy: ['All lines are busy.', 'Try again in a while.'],
  tokens_used_up: ['You have talked as much as you may in a day.', 'Try again tomorrow.'],
  storage_unavailable: ['Calls cannot be started just now.', 'It is not your doing. Try again in a while.'],
  ledger_busy: ['Too many calls are being started at this moment.', 'Press Start again.'],
  audio_blocked: ['The browser is holding the sound back.', 'Press “Turn on sound”.'],
});

/**
 * Words for a problem.
 * @param {{code: string, detail?: string, hint?: string, status?: number, retryAfter?: number}} problem
 * @returns {Explanation}
 */
export function explain(problem) {
  const signIn = problem.code === 'sign_in_required' || problem.status === 401;
  const known = Object.hasOwn(WORDS, problem.code) ? WORDS[problem.code] : undefined;
  const wait = problem.retryAfter ? `Try again in ${problem.retryAfter} seconds.` : '';
  if (known) {
    const soon = wait && problem.code === 'too_many_starts' ? wait : known[1];
    return { title: known[0], advice: soon, signIn };
  }
  return {
    title: problem.detail || 'The call failed.',
    advice: [problem.hint, wait].filter(Boolean).join(' ') || 'Press Start again.',
    signIn,
  };
}

/** Every code that has words of its own here. */
export const EXPLAINED_CODES = Object.freeze(Object.keys(WORDS));

/**
 * The problem that an unsuccessful answer of the broker stands for. Static Web Apps redirects a
 * caller who is not signed in to its login; with `redirect: 'manual'` that shows as an opaque answer.
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
