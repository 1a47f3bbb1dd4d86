/**
 * The options of a call, and the browser APIs that it uses.
 */
import { brokerUrl } from './broker.js';
import { DEFAULT_AUDIO } from './microphone.js';
import { localStore } from './storage.js';

/** @import {CallOptions, Environment, Timeouts} from './types.js' */

/**
 * Request: a cold start and two upstream requests; Static Web Apps times out at 45 s.
 * @type {Readonly<Timeouts>}
 */
const DEFAULT_TIMEOUTS = Object.freeze({
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
