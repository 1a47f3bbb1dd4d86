/**
 * What a call reports to its page: its states and events, and how they are derived from WebRTC.
 */

/** @typedef {import('./captions.js').CaptionLine} CaptionLine */
/** @typedef {import('./captions.js').ServerEvent} ServerEvent */

/**
 * @typedef {{status: 'idle'}
 *   | {status: 'preparing'}
 *   | {status: 'connecting'}
 *   | {status: 'live', since: number, steady: boolean, endsAt?: number, paused?: true,
 *       reconnecting?: true}
 *   | {status: 'ending'}
 *   | {status: 'ended', reason: 'stopped' | 'closed', seconds: number, closeReason?: string, endedBy?: string}
 *   | {status: 'failed', problem: import('./problems.js').CallProblem}} CallState
 * `since`: epoch milliseconds. `steady` is false during an interruption that may still recover. `endsAt`: when
 * it is over at the latest, epoch milliseconds, once that is known. `paused`: on standby until the
 * user speaks (Live). `reconnecting`: the connection is lost, and the conversation is being taken into a new
 * call. `closed`: the other side ended it. `seconds`: how long it was live. Of a call that the
 * other side ended: `endedBy` is the broker's word for who did, if it was somebody there, and `closeReason`
 * the service's for why (Live, where the profile lets the page see it).
 */

/**
 * @typedef {{captured: boolean, muted: boolean, silenced?: true, lost?: true, stalled?: true, listening?: true,
 *   held?: true}} MicrophoneState
 * `captured`: its track is running. `silenced`: the server has muted the user, and not because the page asked
 * for it (Live). `lost`: the track has ended: unplugged, or no longer allowed. `stalled`: the system or the
 * browser sends silence in its place. `listening`: the call wants no microphone. `held`: push-to-talk, and
 * nobody presses.
 */

/** @typedef {{microphone: number, answer: number}} Level  Loudness, 0 to 1. */

/**
 * @typedef {object} CallEvents
 * @property {CallState} statechange
 * @property {MicrophoneState} microphone
 * @property {readonly CaptionLine[]} caption  The whole transcript, in order.
 * @property {ServerEvent} event  Every server event, unchanged.
 * @property {import('./problems.js').CallProblem} problem  Fatal if the state is `failed`, otherwise the call goes on.
 * @property {Level} level
 * @property {import('./devices.js').DeviceList} devices  The microphones and speakers, and which are chosen.
 * @property {import('./voice-api.js').Activity} activity  Who is speaking, as far as the API tells.
 * @property {import('./turn-timing.js').Turn} turn  An answer has begun: how long the user waited for it.
 * @property {import('./call-quality.js').Quality} quality  Of the connection, about every second.
 * @property {import('./event-log.js').LogEntry} log  What the log has got.
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
