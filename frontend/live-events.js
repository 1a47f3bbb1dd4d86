/** A conversation over the Live API: what its events mean to a page. A profile decides which reach it; none is relied on. */
import { LiveActivity } from './live-activity.js';
import { LiveTurns } from './live-turns.js';
import { CallProblem } from './problems.js';
import { HeardTiming } from './turn-timing.js';

/** @import {Activity, ClientEvent, Level, Message, News, ServerEvent} from './types.js' */

/**
 * @typedef {{id: string, kind: 'muted' | 'unmuted' | 'text', text?: string}} Command
 * One that was sent, and may be answered. `text`: what the user wrote.
 */

/** Most commands are answered within a second; one that never is must not be kept for ever. */
const MOST_COMMANDS = 32;

export class LiveConversation {
  /** @type {'live'} */
  api = 'live';

  /** @type {Activity} */
  activity = 'listening';

  paused = false;
  silenced = false;
  outlivesInterruptions = true;
  awaitsPeer = true;
  confirmsMessages = false;

  #turns = new LiveTurns();
  #activity = new LiveActivity();
  #timing = new HeardTiming();

  /** @type {Command[]} */
  #pending = [];

  #sent = 0;

  get lines() {
    return this.#turns.lines;
  }

  /** @param {ServerEvent} event @param {number} now @returns {News} */
  receive(event, now) {
    const news = this.#apply(event, now);
    this.activity = this.#activity.at(now);
    return news;
  }

  /** @param {ClientEvent} event @returns {News} */
  sends({ event_id: id }) {
    const command = this.#pending.find((each) => each.id === id);
    if (command?.text === undefined) return {};
    this.#turns.addTyped(command.id, command.text);
    return { captions: true };
  }

  /** @param {Level} level @param {number} now @returns {News} */
  measure(level, now) {
    this.#activity.measure(level.answer, now);
    this.activity = this.#activity.at(now);
    const turn = this.#timing.measure(level, now);
    return turn ? { turn } : {};
  }

  hear() {}

  /** @param {number} now @returns {number | null} */
  wait(now) {
    const waits = [this.#turns.wait(now), this.#activity.wait(now)].filter((wait) => wait !== null);
    return waits.length ? Math.min(...waits) : null;
  }

  /** @param {number} now @returns {News} */
  pass(now) {
    const before = this.activity;
    this.activity = this.#activity.at(now);
    // A look-up that nothing came of may have failed.
    const overdue = before === 'looking_up' && this.activity === 'listening';
    return { captions: this.#turns.pass(now), ...(overdue && { overdue }) };
  }

  /** @param {number} now @returns {News} */
  finish(now) {
    return { captions: this.#turns.close(now) };
  }

  /** Tells whoever else holds the session; somebody else's mute is not the page's to lift. @param {boolean} muted @returns {ClientEvent[]} */
  mute(muted) {
    if (this.silenced) return [];
    const type = muted ? 'session.input_audio.mute' : 'session.input_audio.unmute';
    return [{ type, event_id: this.#command(muted ? 'muted' : 'unmuted') }];
  }

  /** Context, which the assistant may say nothing about: nothing in Live answers a written message. @param {string} text @returns {Message} */
  text(text) {
    const id = this.#command('text', text);
    const content = `The user typed: ${text}`;
    const event = { type: 'session.thinking.append', event_id: id, delegation_id: null, content };
    return { id, events: [event] };
  }

  /** The voice model takes no pictures. */
  image() {
    return null;
  }

  /** There is no command for it. @returns {ClientEvent[]} */
  interrupt() {
    return [];
  }

  fail() {}

  /** @returns {ClientEvent[]} */
  farewell() {
    return [{ type: 'session.close' }];
  }

  /** @param {ServerEvent} event */
  isOver(event) {
    return event.type === 'session.closed';
  }

  /** @param {ServerEvent} event @param {number} now @returns {News} */
  #apply(event, now) {
    switch (event.type) {
      case 'session.input_transcript.delta':
        return this.#said('user', event, now);
      case 'session.output_transcript.delta':
        return this.#said('assistant', event, now);
      case 'session.delegation.created':
        this.#activity.delegates(Number(event.offset_ms) || 0, now);
        return {};
      case 'session.paused':
      case 'session.resumed':
        this.paused = event.type === 'session.paused';
        return {};
      case 'session.input_audio.muted':
        this.silenced = this.#answers('muted', event.client_event_id) === null || this.silenced;
        return {};
      case 'session.input_audio.unmuted':
        this.#answers('unmuted', event.client_event_id);
        this.silenced = false;
        return {};
      case 'session.thinking.appended': {
        const text = this.#answers('text', event.client_event_id);
        return text ? { taken: [text.id] } : {};
      }
      case 'session.closed':
        return { captions: this.#turns.close(now), closed: String(event.reason ?? '') };
      case 'error':
        return this.#refused(event);
      default:
        return {};
    }
  }

  /** @param {'user' | 'assistant'} who @param {ServerEvent} event @param {number} now @returns {News} */
  #said(who, event, now) {
    const { event_id: id, delta: text, start_ms: startMs, end_ms: endMs } = event;
    if (typeof text !== 'string' || !text || !(startMs >= 0) || !(endMs >= startMs)) return {};
    if (who === 'user') this.#activity.userSpeaks(startMs, now);
    else this.#activity.assistantSpeaks(now);
    return { captions: this.#turns.add({ id: typeof id === 'string' ? id : '', who, text, startMs, endMs }, now) };
  }

  /** An error that answers a command says that it is not allowed, or of no use; any other is the session's. @param {ServerEvent} event @returns {News} */
  #refused(event) {
    const error = event.error ?? {};
    const id = error.client_event_id ?? event.client_event_id;
    const command = this.#pending.find((each) => each.id === id);
    const detail = error.message || error.code || 'The model reported an error.';
    if (!command) return { problem: new CallProblem('model_error', { detail, hint: 'The call goes on.' }) };
    this.#pending = this.#pending.filter((each) => each !== command);
    if (command.kind !== 'text') return {};
    const problem = new CallProblem('text_refused', { detail });
    return { captions: this.#turns.remove(command.id), problem, refused: command.id };
  }

  /** @param {Command['kind']} kind @param {string} [text] @returns {string} The event's id. */
  #command(kind, text) {
    this.#sent += 1;
    const id = `page_${this.#sent}`;
    this.#pending = [...this.#pending, { id, kind, text }].slice(-MOST_COMMANDS);
    return id;
  }

  /** The command that an acknowledgement answers: if that does not say which, the oldest of its kind. @param {Command['kind']} kind @param {string | null | undefined} id @returns {Command | null} */
  #answers(kind, id) {
    const command = this.#pending.find((each) => (id ? each.id === id : each.kind === kind));
    this.#pending = this.#pending.filter((each) => each !== command);
    return command ?? null;
  }
}
