/**
 * What the page says about a call's state: the connection in a word or two, a headline, and advice.
 */

/** @typedef {import('./events.js').CallState} CallState */
/** @typedef {import('./events.js').MicrophoneState} MicrophoneState */
/** @typedef {import('./voice-api.js').Activity} Activity */

/** @typedef {{connection: string, headline: string, advice: string}} Words */

/** @type {Record<CallState['status'], readonly [connection: string, headline: string, advice: string]>} */
const STATES = {
  idle: ['Not connected', 'Ready when you are.', 'Press Start, allow the microphone, and speak.'],
  preparing: ['Preparing', 'Preparing…', 'If the browser asks, allow the microphone.'],
  connecting: ['Connecting', 'Connecting…', 'This takes a second or two.'],
  live: ['Connected', 'Listening.', 'Go ahead and speak. You can interrupt at any time.'],
  ending: ['Hanging up', 'Hanging up…', ''],
  ended: ['Not connected', 'The call has ended.', 'Press Start to call again.'],
  failed: ['Not connected', 'The call did not start.', ''],
};

/** @type {Record<Activity, string>} */
const ACTIVITIES = {
  listening: 'Listening.',
  hearing: 'You are speaking.',
  thinking: 'Thinking…',
  answering: 'Answering.',
  looking_up: 'Looking that up…',
};

/** Why a call ended, in the broker's words or the Live API's, and in ours. @type {Readonly<Record<string, string>>} */
const REASONS = Object.freeze({
  limit: 'The call reached its time limit',
  'time limit': 'The call reached its time limit',
  'token budget': 'You have reached your daily limit: the call ended',
  admin: 'An administrator ended the call',
  expired: 'The call reached the longest time that the model allows',
  content: 'The model’s safety filter ended the call',
  connection_lost: 'The model lost the connection to this page',
  remote_hangup: 'The other side hung up',
});

const MUTED = 'You are muted. Press Mute again to speak.';
const SILENCED = 'The operator of this call has muted you. You can still listen.';

/**
 * @param {CallState} state
 * @param {boolean} wasLive  Whether it was live before.
 * @param {MicrophoneState} microphone
 * @param {Activity} activity
 * @returns {Words}
 */
export function describe(state, wasLive, microphone, activity) {
  const [connection, headline, advice] = STATES[state.status];
  if (state.status === 'ended') return { connection, headline, advice: `${whyEnded(state)}. ${advice}` };
  if (state.status === 'failed' && wasLive)
    return { connection, headline: 'The call was disconnected.', advice };
  return state.status === 'live' ? describeLive(state, microphone, activity) : { connection, headline, advice };
}

/** @param {CallState & {status: 'live'}} state @param {MicrophoneState} microphone @param {Activity} activity */
function describeLive({ steady, paused }, microphone, activity) {
  if (!steady)
    return {
      connection: 'Interrupted',
      headline: 'One moment…',
      advice: 'The connection was interrupted. Reconnecting.',
    };
  const [connection, , advice] = STATES.live;
  const quiet = microphone.silenced ? SILENCED : microphone.muted ? MUTED : '';
  if (paused)
    return {
      connection: 'On standby',
      headline: 'On standby.',
      advice: quiet || 'Nobody has spoken for a while. Speak, and the call goes on.',
    };
  const headline = quiet && activity === 'listening' ? 'Muted.' : ACTIVITIES[activity];
  return { connection, headline, advice: quiet || advice };
}

/** @param {CallState & {status: 'ended'}} state */
function whyEnded({ reason, closeReason = '', endedBy = '', seconds }) {
  const known = [endedBy, closeReason].find((each) => Object.hasOwn(REASONS, each));
  const other = known ? REASONS[known] : 'The other side ended the call';
  const why = reason === 'stopped' ? 'You hung up' : other;
  return seconds ? `${why} after ${clock(seconds)}` : why;
}

/** @param {MicrophoneState} microphone @returns {'on' | 'muted' | 'off'} */
export function microphoneState({ captured, muted, silenced }) {
  if (!captured) return 'off';
  return muted || silenced ? 'muted' : 'on';
}

/** @param {MicrophoneState} microphone */
export function describeMicrophone(microphone) {
  const { captured, muted, silenced } = microphone;
  if (captured && silenced && !muted) return 'Microphone muted by the operator';
  return `Microphone ${microphoneState(microphone)}`;
}

/** @param {number} seconds */
export function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
