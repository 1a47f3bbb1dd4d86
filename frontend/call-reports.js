/**
 * What a call tells its page: the state, the events, the log and the timings.
 */
import { EventLog } from './event-log.js';
import { Timings } from './turn-timing.js';

/** @import {CallEvents, CallState, Clock, LogEntry} from './types.js' */

/** The events of ours that the log has, too. */
const LOGGED = ['statechange', 'microphone', 'activity', 'problem', 'turn'];

export class CallReports {
  /** @type {CallState} */
  state = { status: 'idle' };

  log = new EventLog();
  timings = new Timings();

  #target;
  #clock;

  /** @param {EventTarget} target @param {Clock} clock */
  constructor(target, clock) {
    this.#target = target;
    this.#clock = clock;
  }

  /** A call begins. */
  begin() {
    this.log = new EventLog();
    this.timings = new Timings(this.now());
  }

  /** @param {CallState} state */
  become(state) {
    this.state = state;
    this.emit('statechange', state);
  }

  /**
   * @template {keyof CallEvents} Name
   * @param {Name} name
   * @param {CallEvents[Name]} detail
   */
  emit(name, detail) {
    if (LOGGED.includes(name)) this.note('call', name, detail);
    this.#target.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** @param {LogEntry['from']} from @param {string} type @param {unknown} detail */
  note(from, type, detail) {
    this.emit('log', this.log.add(from, type, detail, this.now()));
  }

  now() {
    return this.#clock.now();
  }
}
