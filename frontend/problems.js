/**
 * What can go wrong with a call, and what a person can do about it.
 *
 * The broker sends every error as problem+json with a stable `code`; the browser's own failures get
 * codes here. `explain` turns either into text. A code without text here falls back to the broker's
 * `detail` and `hint`, so the page also works with a newer broker.
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
 * @property {boolean} signIn  Whether to offer signing in.
 */

/** @type {Readonly<Record<string, readonly [title: string, advice: string]>>} */
const WORDS = Object.freeze({
  sign_in_required: ['You are not signed in.', 'Sign in, then press Start again.'],
  microphone_denied: [
    'The microphone is blocked.',
    'Allow the microphone for this page (the icon next to the address), then press Start again.',
  ],
  microphone_absent: ['No microphone was found.', 'Connect a microphone, then press Start again.'],
  microphone_in_use: [
    'The microphone could not be opened.',
    'Another program may be using it. Close that program, then press Start again.',
  ],
  microphone_lost: [
    'The microphone was disconnected.',
    'You can still hear the answer. To speak again, connect a microphone, press Stop, then Start.',
  ],
  insecure_page: [
    'This page cannot use the microphone.',
    'Browsers allow that only on https pages and on localhost. Open the page there.',
  ],
  browser_unsupported: [
    'This browser does not support voice calls.',
    'Use a current Chrome, Edge, Firefox or Safari.',
  ],
  media_blocked: [
    'The call was accepted, but the audio is blocked.',
    'The usual cause is a firewall or VPN: audio needs port 3478, UDP or TCP, to the model’s region. ' +
      'Try another network, or show docs/firewall.md to your network administrator.',
  ],
  connection_lost: ['The connection was lost.', 'Check the network, then press Start again.'],
  network_unreachable: [
    'The server could not be reached.',
    'Check the network connection, then press Start again.',
  ],
  request_timeout: ['The server took too long to answer.', 'Wait a moment, then press Start again.'],
  answer_invalid: [
    'The server sent an invalid response.',
    'Press Start again. If this happens again, the page and the broker may be different versions.',
  ],
  model_unreachable: [
    'The model’s endpoint could not be reached from this page.',
    'Choose “Through the broker” under Settings. For a direct call, the page’s content security policy ' +
      '(connect-src) must include the endpoint.',
  ],
  key_refused: [
    'The model’s endpoint refused the key.',
    'It may have expired. Press Start again to get a new one.',
  ],
  token_endpoint_off: [
    'This broker does not issue keys.',
    'Choose “Through the broker” under Settings, then press Start again.',
  ],
  model_refused: [
    'The model’s endpoint refused the call.',
    'Press Start again, or choose “Through the broker” under Settings.',
  ],
  too_many_starts: [
    'You have started too many calls in the last minute.',
    'Wait a moment, then press Start again.',
  ],
  too_many_live_calls: [
    'You already have the maximum number of calls.',
    'End one in another tab or on another device, then press Start again.',
  ],
  all_lines_busy: ['All lines are busy.', 'Try again later.'],
  live_sessions_busy: ['All lines are busy.', 'Try again later.'],
  live_sessions_full: ['All lines are busy.', 'Try again later.'],
  live_without_keys: [
    'This kind of call goes through the broker alone.',
    'Choose “Through the broker” under Settings, then press Start again.',
  ],
  tokens_used_up: ['You have reached your daily limit.', 'Try again tomorrow.'],
  seconds_used_up: ['You have reached your daily limit.', 'End a call that is running, or try again tomorrow.'],
  storage_unavailable: ['Calls are unavailable right now.', 'This is a problem on our side. Try again later.'],
  ledger_busy: ['Too many calls are starting right now.', 'Press Start again.'],
  instance_busy: ['Too many calls are starting right now.', 'Try again in a moment.'],
  text_refused: [
    'Your message was not delivered.',
    'It may be too long, or this call takes no written messages. Say it instead: the call goes on.',
  ],
  audio_blocked: ['The browser has blocked the sound.', 'Press “Turn on sound”.'],
});

/**
 * Title and advice for a problem.
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

/** Every code that has text of its own here. */
export const EXPLAINED_CODES = Object.freeze(Object.keys(WORDS));

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
