/**
 * The options of a call, and the browser APIs that it uses.
 */
import { brokerUrl } from './broker.js';
import { localStore } from './devices.js';
import { DEFAULT_AUDIO } from './microphone.js';

/**
 * @typedef {object} Timeouts  Milliseconds.
 * @property {number} request  For the key, and for the answer to the offer.
 * @property {number} media  From the answer to the open data channel.
 * @property {number} interruption  How long a connection may stay `disconnected` before it counts as lost.
 * @property {number} hangUp  How long `stop` waits for the broker to confirm.
 * @property {number} check  How long the question for the microphone waits for the broker's leave to call.
 * @property {number} reconnect  How long a lost call's conversation is tried to be gone on with.
 */

/**
 * @typedef {object} CallOptions
 * @property {'connect' | 'token'} [mode]
 *   `connect`: the broker starts the call. `token`: the page starts it, with a short-lived key.
 * @property {string} [broker]  The broker's address, if it is not the page's own origin or the one that
 *   serves this module; the following URLs are derived from it.
 * @property {string} [connectUrl]
 * @property {string} [tokenUrl]
 * @property {string} [callsUrl]  Where a call started with a key is registered.
 * @property {string} [profile]  The name of a session profile at the broker.
 * @property {boolean} [microphone]  False: listen and type; no microphone is asked for.
 * @property {string} [microphoneId]  Instead of the one that the user has chosen and the browser remembers.
 * @property {MediaTrackConstraints} [audio]  Constraints for the microphone.
 * @property {boolean | 'commit'} [pushToTalk]  The user is heard while `talk(true)` holds. `commit`: for a
 *   profile without turn detection, releasing asks for the answer.
 * @property {boolean} [keepAwake]  Whether the screen stays on during a call. By default it does.
 * @property {() => Record<string, string> | Promise<Record<string, string>>} [headers]
 *   Sent to the broker with each request, e.g. `X-Caller-Token`. If it throws, the call fails with
 *   `sign_in_required`.
 * @property {boolean} [reconnect]  Whether to go on in a new call after a drop, and before a cap
 *   (`connect` alone); true by default.
 * @property {number} [levelInterval]  Milliseconds between `level` events; 0 for none.
 * @property {Partial<Timeouts>} [timeouts]
 * @property {Partial<Environment>} [environment]  Browser APIs; replaced in tests.
 */

/**
 * @typedef {object} Environment
 * @property {(Pick<MediaDevices, 'getUserMedia'> & Partial<MediaDevices>) | undefined} mediaDevices
 * @property {Pick<Permissions, 'query'> | undefined} permissions
 * @property {Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> | undefined} storage  For the chosen devices.
 * @property {Pick<WakeLock, 'request'> | undefined} wakeLock
 * @property {Document | undefined} document
 * @property {typeof globalThis.AudioContext | undefined} AudioContext
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
  check: 3_000,
  reconnect: 60_000,
});

/** @returns {Environment} */
export function browser() {
  return {
    mediaDevices: globalThis.navigator?.mediaDevices,
    permissions: globalThis.navigator?.permissions,
    storage: localStore(),
    wakeLock: globalThis.navigator?.wakeLock,
    document: globalThis.document,
    AudioContext: globalThis.AudioContext,
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

/** @param {CallOptions} options */
export function withDefaults(options) {
  const { broker, profile } = options;
  return {
    mode: options.mode ?? 'connect',
    connectUrl: withProfile(options.connectUrl ?? brokerUrl(broker, 'connect'), profile),
    tokenUrl: withProfile(options.tokenUrl ?? brokerUrl(broker, 'token'), profile),
    callsUrl: withProfile(options.callsUrl ?? brokerUrl(broker, 'calls'), profile),
    microphone: options.microphone ?? true,
    microphoneId: options.microphoneId ?? '',
    audio: options.audio ?? DEFAULT_AUDIO,
    pushToTalk: options.pushToTalk ?? false,
    keepAwake: options.keepAwake ?? true,
    headers: options.headers ?? (() => ({})),
    levelInterval: options.levelInterval ?? 0,
    // The broker alone knows what was said, and only of calls that it starts.
    reconnect: (options.reconnect ?? true) && (options.mode ?? 'connect') === 'connect',
    timeouts: { ...DEFAULT_TIMEOUTS, ...options.timeouts },
    environment: { ...browser(), ...options.environment },
  };
}

/** @param {string} url @param {string} [profile] */
function withProfile(url, profile) {
  if (!profile) return url;
  return `${url}${url.includes('?') ? '&' : '?'}profile=${encodeURIComponent(profile)}`;
}
