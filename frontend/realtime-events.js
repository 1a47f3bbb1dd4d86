/**
 * A conversation over the Realtime API: what its events mean to a page.
 */
import { Captions } from './captions.js';
import { endsSentence } from './live-rules.js';
import { CallProblem } from './problems.js';
import { RealtimeActivity } from './realtime-activity.js';
import { RealtimeMessages } from './realtime-messages.js';
import { TurnTiming } from './turn-timing.js';

/** @import {Outcome} from './realtime-messages.js' */
/** @import {Activity, ClientEvent, Level, Message, News, ServerEvent, Turn} from './types.js' */

export class RealtimeConversation {
  /** @type {'realtime'} */
  api = 'realtime';

  /** @type {Activity} */
  activity = 'listening';

  paused = false;
  silenced = false;
  outlivesInterruptions = false;
  awaitsPeer = false;
  confirmsMessages = true;

  #captions = new Captions();
  #activity = new RealtimeActivity();
  #messages = new RealtimeMessages();
  #timing = new TurnTiming();

  get lines() {
    return this.#captions.lines;
  }

  /** @param {ServerEvent} event @param {number} now @returns {News} */
  receive(event, now) {
    const captions = this.#captions.apply(event, now);
    this.#activity.receive(event, now);
    const turn = this.#time(event, now);
    const { known, ...outcome } = this.#messages.receive(event, now);
    if (event.type === 'output_audio_buffer.stopped' && this.#isHalf()) this.#activity.suspect(now);
    this.#look(now);
    return {
      captions,
      ...(turn && { turn }),
      ...toldBy(outcome, known ? null : modelProblem(event)),
    };
  }

  /** @param {ClientEvent} event  That is sent now, by whomever on this page. @param {number} now @returns {News} */
  sends(event, now) {
    const captions = event.type === 'output_audio_buffer.clear' && this.#captions.interrupt(now);
    const ours = this.#messages.made(event);
    if (event.type === 'output_audio_buffer.clear') this.#activity.silence();
    if (event.type === 'response.cancel') this.#activity.cancel();
    if (event.type === 'conversation.item.create' && ours) this.#expect(now);
    const aside = /** @type {any} */ (event.response)?.conversation === 'none';
    if (event.type === 'response.create' && !aside && !(ours && this.#activity.isExpecting)) this.#expect(now);
    this.#look(now);
    return { captions };
  }

  /** @param {Level} level @param {number} now @returns {News} */
  measure({ answer }, now) {
    this.hear(answer, now);
    return {};
  }

  /** @param {number} answer  Its loudness since the last time, without `levelInterval`. @param {number} now */
  hear(answer, now) {
    this.#activity.measure(answer, now);
    this.#look(now);
  }

  /** @param {number} now @returns {number | null} */
  wait(now) {
    const waits = [this.#activity.wait(now), this.#messages.wait(now)].filter((wait) => wait !== null);
    return waits.length ? Math.min(...waits) : null;
  }

  /** @param {number} now @returns {News} */
  pass(now) {
    const overdue = this.#activity.pass(now);
    const outcome = this.#messages.pass(now);
    this.#look(now);
    return { ...(overdue && { overdue }), ...toldBy(outcome, null) };
  }

  /** @returns {News} */
  finish() {
    return {};
  }

  /** The answer that was due will not come. @param {number} now */
  fail(now) {
    this.#activity.cancel();
    this.#timing.dropped();
    this.#look(now);
  }

  /** The track alone is muted. @returns {ClientEvent[]} */
  mute() {
    return [];
  }

  /** A message, and an answer to it. @param {string} text @param {number} now @returns {Message} */
  text(text, now) {
    return this.#write([{ type: 'input_text', text }], now);
  }

  /** @param {string} url  A data URL. @param {string} text @param {number} now @returns {Message} */
  image(url, text, now) {
    const picture = { type: 'input_image', image_url: url };
    return this.#write(text ? [{ type: 'input_text', text }, picture] : [picture], now);
  }

  /** @returns {ClientEvent[]} */
  interrupt() {
    this.#messages.dismiss();
    this.#timing.dropped();
    return this.#messages.cutOff();
  }

  /** @returns {ClientEvent[]} */
  farewell() {
    return [];
  }

  isOver() {
    return true;
  }

  /** @param {Record<string, string>[]} content @param {number} now @returns {Message} */
  #write(content, now) {
    return this.#messages.write(content, this.#activity.inProgress, now);
  }

  /** @param {number} now */
  #expect(now) {
    this.#timing.asked(now);
    this.#activity.expect(now);
  }

  /** @param {ServerEvent} event @param {number} now @returns {Turn | null} */
  #time({ type }, now) {
    if (type === 'input_audio_buffer.speech_stopped') this.#timing.asked(now);
    if (type === 'input_audio_buffer.speech_started') this.#timing.dropped();
    return type === 'output_audio_buffer.started' ? this.#timing.answered(now) : null;
  }

  /** An answer was heard to its end, and that is in the middle of a sentence. */
  #isHalf() {
    const last = this.lines.findLast(({ who }) => who === 'assistant');
    return Boolean(last?.text && last.final && !last.interrupted && !endsSentence(last.text));
  }

  /** @param {number} now */
  #look(now) {
    this.activity = this.#activity.at(now);
  }
}

/** @param {Outcome} outcome @param {CallProblem | null} problem @returns {News} */
function toldBy({ send, taken, refused, detail }, problem) {
  if (refused) return { refused, problem: new CallProblem('text_refused', { detail }) };
  return { problem, ...(send && { send }), ...(taken && { taken }) };
}

/**
 * The problem that a server event reports, if any. Only an unfiltered channel carries such events.
 * @param {ServerEvent} event
 * @returns {CallProblem | null}
 */
function modelProblem(event) {
  if (event.type === 'response.done') return responseProblem(event.response ?? {});
  if (event.type !== 'error') return null;
  const { message, code } = event.error ?? {};
  return new CallProblem('model_error', { detail: message || code || 'The model reported an error.' });
}

/** @param {Record<string, any>} response */
function responseProblem({ status, status_details: details }) {
  if (status !== 'failed' && status !== 'incomplete') return null;
  const detail = details?.error?.message || details?.error?.code || details?.reason || '';
  return new CallProblem(status === 'failed' ? 'answer_failed' : 'answer_cut', { detail });
}
