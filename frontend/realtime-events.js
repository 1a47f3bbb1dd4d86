/**
 * A conversation over the Realtime API: what its events mean to a page.
 */
import { Captions } from './captions.js';
import { CallProblem } from './problems.js';

/** @typedef {import('./events.js').ServerEvent} ServerEvent */
/** @typedef {import('./voice-api.js').Activity} Activity */
/** @typedef {import('./voice-api.js').ClientEvent} ClientEvent */
/** @typedef {import('./voice-api.js').News} News */

/** Whose turn it is, judging by the last event that says so. @type {Readonly<Record<string, Activity>>} */
const ACTIVITIES = Object.freeze({
  'input_audio_buffer.speech_started': 'hearing',
  'input_audio_buffer.speech_stopped': 'listening',
  'output_audio_buffer.started': 'answering',
  'output_audio_buffer.stopped': 'listening',
  'output_audio_buffer.cleared': 'listening',
});

export class RealtimeConversation {
  /** @type {'realtime'} */
  api = 'realtime';

  /** @type {Activity} */
  activity = 'listening';

  paused = false;
  silenced = false;
  outlivesInterruptions = false;
  awaitsPeer = false;
  asksWhoEnded = false;

  #captions = new Captions();

  get lines() {
    return this.#captions.lines;
  }

  /** @param {ServerEvent} event @returns {News} */
  receive(event) {
    if (Object.hasOwn(ACTIVITIES, event.type)) this.activity = ACTIVITIES[event.type];
    return { captions: this.#captions.apply(event), problem: modelProblem(event) };
  }

  measure() {}

  wait() {
    return null;
  }

  /** @returns {News} */
  pass() {
    return {};
  }

  /** @returns {News} */
  finish() {
    return {};
  }

  /** The track alone is muted. @returns {ClientEvent[]} */
  mute() {
    return [];
  }

  /** A message, and an answer to it. @param {string} text @returns {ClientEvent[]} */
  text(text) {
    const content = [{ type: 'input_text', text }];
    return [
      { type: 'conversation.item.create', item: { type: 'message', role: 'user', content } },
      { type: 'response.create' },
    ];
  }

  /** @returns {ClientEvent[]} */
  farewell() {
    return [];
  }

  isOver() {
    return true;
  }
}

/**
 * The problem that a server event reports, if any. Only an unfiltered channel carries such events.
 * @param {ServerEvent} event
 * @returns {CallProblem | null}
 */
function modelProblem(event) {
  const failed = event.type === 'response.done' && event.response?.status === 'failed';
  if (event.type !== 'error' && !failed) return null;
  const error = failed ? event.response.status_details?.error : event.error;
  return new CallProblem('model_error', {
    detail: error?.message || error?.code || 'The model reported an error.',
  });
}
