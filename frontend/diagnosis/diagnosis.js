/**
 * Finds out why calls do not work here: tries everything that a call needs, in order. It starts a call or
 * two, of seconds, and hangs up. No DOM: `panel.js` shows what it finds.
 */
import { withDefaults } from '../options.js';
import { CallProblem } from '../problems.js';
import { key, offer, reachBroker, signIn } from './broker-checks.js';
import { autoplay, microphone, securePage, sound } from './browser-checks.js';
import { dataChannel, overTcp, overUdp } from './network-checks.js';

/** @import {Trial} from './trial.js' */
/** @import {CallOptions} from '../types.js' */

/**
 * @typedef {object} Finding
 * @property {'passed' | 'warned' | 'failed' | 'skipped'} outcome
 * @property {string} [text]  A text's name in languages/…/diagnosis.js; with `_remedy`, what to do.
 * @property {Record<string, string>} [values]
 * @property {CallProblem} [problem]  In place of a text.
 */

/** @typedef {Finding & {check: string, ms: number}} Result */
/** @typedef {(run: Run) => Promise<Finding>} Check */

/**
 * What the checks leave for each other.
 * @typedef {object} Run
 * @property {ReturnType<typeof withDefaults>} options
 * @property {ReturnType<typeof browserPage>} page
 * @property {AbortSignal} signal
 * @property {Trial | null} trial  The last call.
 * @property {Promise<void> | null} offered  Its offer.
 * @property {Trial | null} connected  The call whose packets got through.
 */

/** @type {readonly (readonly [name: string, needs: readonly string[], check: Check])[]} */
const CHECKS = [
  ['secure_page', [], securePage],
  ['microphone', ['secure_page'], microphone],
  ['api', [], reachBroker],
  ['sign_in', ['api'], signIn],
  ['key', ['secure_page', 'sign_in'], key],
  ['offer', ['key'], offer],
  ['ice_udp', ['offer'], overUdp],
  ['ice_tcp', ['offer'], overTcp],
  ['data_channel', ['offer'], dataChannel],
  ['audio_out', [], sound],
  ['autoplay', [], autoplay],
];

/** The checks, in their order. @type {readonly string[]} */
export const CHECK_NAMES = CHECKS.map(([name]) => name);

/**
 * @param {CallOptions} [options]  Those of the calls that do not work.
 * @param {object} [more]
 * @param {(result: Result) => void} [more.found]
 * @param {(check: string) => void} [more.checking]
 * @param {AbortSignal} [more.signal]
 * @param {Partial<ReturnType<typeof browserPage>>} [more.page]  For tests.
 * @returns {Promise<Result[]>} Fewer than all if it was aborted. Never rejects.
 */
export async function diagnose(options = {}, { found, checking, signal, page } = {}) {
  /** @type {Run} */
  const run = {
    options: withDefaults(options),
    page: { ...browserPage(), ...page },
    signal: signal ?? new AbortController().signal,
    trial: null,
    offered: null,
    connected: null,
  };
  const { clock } = run.options.environment;
  /** @type {Result[]} */
  const results = [];
  const works = (/** @type {string} */ name) =>
    results.some(({ check, outcome }) => check === name && ['passed', 'warned'].includes(outcome));
  for (const [check, needs, perform] of CHECKS) {
    const needed = needs.find((name) => !works(name));
    checking?.(check);
    const began = clock.now();
    /** @type {Finding} */
    const finding = needed
      ? { outcome: 'skipped', text: 'needs', values: { needed } }
      : await perform(run).catch((error) => ({ outcome: 'failed', problem: asProblem(error) }));
    if (run.signal.aborted) break;
    const result = { ...finding, check, ms: clock.now() - began };
    results.push(result);
    found?.(result);
  }
  await run.trial?.close();
  return results;
}

function browserPage() {
  return {
    secure: globalThis.isSecureContext,
    origin: globalThis.location?.origin ?? '',
    Audio: globalThis.Audio,
    /** Whether this browser tells pages of its loudspeakers. */
    namesSpeakers: typeof globalThis.HTMLMediaElement?.prototype.setSinkId === 'function',
  };
}

/** @param {unknown} error */
function asProblem(error) {
  return error instanceof CallProblem ? error : new CallProblem('browser_unsupported', { detail: String(error) });
}
