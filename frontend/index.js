/**
 * The package's front door: a call without a user interface. Importing it changes nothing in the page. The
 * interface is `element/index.js`.
 */
import { CallProblem, explain } from './problems.js';
import { RealtimeCall } from './realtime-call.js';
import { Speaker } from './speaker.js';

export { CallProblem, RealtimeCall, explain };

/** @typedef {import('./types.js').CallOptions} CallOptions */
/** @typedef {import('./types.js').CallEvents} CallEvents */
/** @typedef {import('./types.js').CallState} CallState */
/** @typedef {import('./types.js').CaptionLine} CaptionLine */
/** @typedef {import('./types.js').MicrophoneState} MicrophoneState */

/**
 * A call that plays its answers itself: `start()` in a click handler is all that it needs.
 * @param {CallOptions & {output?: HTMLAudioElement}} [options]  `output`: the element to play them in, for a
 *   page that wants to set its volume. Where the browser blocks the sound, the call reports `audio_blocked`,
 *   and `output.play()` in a click handler plays it after all.
 * @returns {RealtimeCall}
 */
export function createCall({ output, ...options } = {}) {
  const call = new RealtimeCall(options);
  /** @type {Speaker | null} */
  let speaker = null;
  // `preparing` is reported while `start()` runs, and so inside the click.
  call.on('statechange', ({ status }) => {
    if (status === 'preparing') {
      speaker ??= new Speaker(output ?? new Audio(), {
        problem: (detail) => call.dispatchEvent(new CustomEvent('problem', { detail })),
      });
      speaker.play(call.remoteStream);
    }
    // Not while it is `ending`: a call that was cut off may yet go on.
    if (status === 'ended' || status === 'failed') speaker?.stop();
  });
  return call;
}
