/**
 * What a call reports to its page: its states and events, and how they are derived from WebRTC.
 */
import { CallProblem } from './problems.js';

/** @typedef {import('./captions.js').CaptionLine} CaptionLine */
/** @typedef {import('./captions.js').ServerEvent} ServerEvent */

/**
 * @typedef {{status: 'idle'}
 *   | {status: 'preparing'}
 *   | {status: 'connecting'}
 *   | {status: 'live', since: number, steady: boolean}
 *   | {status: 'ending'}
 *   | {status: 'ended', reason: 'stopped' | 'closed', seconds: number}
 *   | {status: 'failed', problem: CallProblem}} CallState
 * `since`: epoch milliseconds. `steady` is false during an interruption that may still recover.
 * `closed`: the other side ended it. `seconds`: how long it was live.
 */

/** @typedef {{captured: boolean, muted: boolean}} MicrophoneState */
/** @typedef {{microphone: number, answer: number}} Level  Loudness, 0 to 1. */

/**
 * @typedef {object} CallEvents
 * @property {CallState} statechange
 * @property {MicrophoneState} microphone
 * @property {readonly CaptionLine[]} caption  The whole transcript, in order.
 * @property {ServerEvent} event  Every server event, unchanged.
 * @property {CallProblem} problem  Fatal if the state is `failed`, otherwise the call goes on.
 * @property {Level} level
 */

/**
 * Parses a message from the data channel; null if it is not an event.
 * @param {unknown} data
 * @returns {ServerEvent | null}
 */
export function parseEvent(data) {
  try {
    const event = JSON.parse(String(data));
    return typeof event?.type === 'string' ? event : null;
  } catch {
    return null;
  }
}

/** @param {RTCStatsReport} report @returns {Level} */
export function levelOf(report) {
  const level = { microphone: 0, answer: 0 };
  report.forEach((entry) => {
    if (entry.type === 'media-source') level.microphone = entry.audioLevel ?? 0;
    if (entry.type === 'inbound-rtp') level.answer = entry.audioLevel ?? 0;
  });
  return level;
}

/**
 * The problem that a server event reports, if any. Only an unfiltered channel carries such events.
 * @param {ServerEvent} event
 * @returns {CallProblem | null}
 */
export function modelProblem(event) {
  const failed = event.type === 'response.done' && event.response?.status === 'failed';
  if (event.type !== 'error' && !failed) return null;
  const error = failed ? event.response.status_details?.error : event.error;
  return new CallProblem('model_error', {
    detail: error?.message || error?.code || 'The model reported an error.',
  });
}
