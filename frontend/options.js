/**
 * The options of a call, and the browser APIs that it uses.
 */
import { DEFAULT_AUDIO } from './microphone.js';

/**
 * @typedef {object} Timeouts  Milliseconds.
 * @property {number} request  For the key, and for the answer to the offer.
 * @property {number} media  From the answer to the open data channel.
 * @property {number} interruption  How long a connection may stay `disconnected` before it counts as lost.
 * @property {number} hangUp  How long `stop` waits for the broker to confirm.
 */

/**
 * @typedef {object} CallOptions
 * @property {'connect' | 'token'} [mode]
 *   `connect`: the broker starts the call. `token`: the page starts it, with a short-lived key.
 * @property {string} [connectUrl]
 * @property {string} [tokenUrl]
 * @property {string} [callsUrl]  Where a call started with a key is registered.
 * @property {string} [profile]  The name of a session profile at the broker.
 * @property {MediaTrackConstraints} [audio]  Constraints for the microphone.
 * @property {() => Record<string, string> | Promise<Record<string, string>>} [headers]
 *   Sent to the broker with each request, e.g. `X-Caller-Token`. If it throws, the call fails with
 *   `sign_in_required`.
 * @property {number} [levelInterval]  Milliseconds between `level` events; 0 for none.
 * @property {Partial<Timeouts>} [timeouts]
 * @property {Partial<Environment>} [environment]  Browser APIs; replaced in tests.
 */

/**
 * @typedef {object} Environment
 * @property {Pick<MediaDevices, 'getUserMedia'> | undefined} mediaDevices
 * @property {typeof globalThis.RTCPeerConnection} RTCPeerConnection
 * @property {typeof globalThis.MediaStream} MediaStream
 * @property {typeof globalThis.fetch} fetch
 * @property {import('./attempt.js').Clock} clock
 */

/**
 * Request: a cold start and two upstream requests; Static Web Apps times out at 45 s.
 * @type {Readonly<Timeouts>}
 */
export const DEFAULT_TIMEOUTS = Object.freeze({
  request: 40_000,
  media: 15_000,
  interruption: 5_000,
  hangUp: 2_000,
});

/** @returns {Environment} */
export function browser() {
  return {
    mediaDevices: globalThis.navigator?.mediaDevices,
    RTCPeerConnection: globalThis.RTCPeerConnection,
    MediaStream: globalThis.MediaStream,
    fetch: (...request) => globalThis.fetch(...request),
    clock: {
      now: () => Date.now(),
      setTimeout: (callback, ms) => globalThis.setTimeout(callback, ms),
      clearTimeout: (timer) => globalThis.clearTimeout(timer),
    },
  };
}

/**
 * The options with all defaults filled in.
 * @param {CallOptions} options
 */
export function withDefaults(options) {
  return {
    mode: options.mode ?? 'connect',
    connectUrl: withProfile(options.connectUrl ?? '/api/connect', options.profile),
    tokenUrl: withProfile(options.tokenUrl ?? '/api/token', options.profile),
    callsUrl: withProfile(options.callsUrl ?? '/api/calls', options.profile),
    audio: options.audio ?? DEFAULT_AUDIO,
    headers: options.headers ?? (() => ({})),
    levelInterval: options.levelInterval ?? 0,
    timeouts: { ...DEFAULT_TIMEOUTS, ...options.timeouts },
    environment: { ...browser(), ...options.environment },
  };
}

/** @param {string} url @param {string | undefined} profile */
function withProfile(url, profile) {
  if (!profile) return url;
  return `${url}${url.includes('?') ? '&' : '?'}profile=${encodeURIComponent(profile)}`;
}
